package org.subflows;

import java.util.ArrayList;
import java.util.List;

/** What stands behind {@code -javaagent:subflows.jar=}. */
final class AgentOptions {
    private static final int LONGEST_INTERFACE = 15;

    private boolean hasControl;
    private final List<OpenOptions> paths = new ArrayList<>();

    private AgentOptions() {}

    static AgentOptions parse(String text) {
        AgentOptions options = new AgentOptions();
        if (text != null && !text.isEmpty()) {
            for (String option : text.split(",", -1)) {
                options.add(option.trim());
            }
        }
        return options;
    }

    private void add(String option) {
        int equals = option.indexOf('=');
        String name = equals < 0 ? option : option.substring(0, equals);
        String value = equals < 0 ? null : option.substring(equals + 1);
        switch (name) {
            case "control":
                if (value != null) {
                    throw wrong("control takes no value");
                }
                hasControl = true;
                break;
            case "via":
                paths.add(OpenOptions.via(networkInterface(name, value)));
                break;
            case "backup":
                paths.add(OpenOptions.via(networkInterface(name, value)).backup());
                break;
            default:
                throw wrong(
                        "no option of the agent is called "
                                + (name.isEmpty() ? "nothing" : name)
                                + "; there are control, via=INTERFACE and backup=INTERFACE");
        }
    }

    private static String networkInterface(String option, String name) {
        if (name == null || name.isEmpty() || name.length() > LONGEST_INTERFACE) {
            throw wrong(option + " needs the name of an interface, as in " + option + "=wwan0");
        }
        return name;
    }

    private static IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException(what);
    }

    boolean needsControl() {
        return hasControl || !paths.isEmpty();
    }

    /** The subflows that every connection is to have besides its first. */
    List<OpenOptions> paths() {
        return List.copyOf(paths);
    }
}
