package org.subflows;

import java.util.ArrayList;
import java.util.List;

/** The options after {@code -javaagent:subflows.jar=}. */
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
                    throw wrong("the agent option control takes no value: use control alone");
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
                        (name.isEmpty() ? "empty agent option" : "unknown agent option \"" + name + '"')
                                + ": use control, via=INTERFACE or backup=INTERFACE");
        }
    }

    private static String networkInterface(String option, String name) {
        if (name == null || name.isEmpty() || name.length() > LONGEST_INTERFACE) {
            throw wrong(
                    "the agent option "
                            + option
                            + " requires the name of an interface of at most "
                            + LONGEST_INTERFACE
                            + " characters, for example "
                            + option
                            + "=wwan0");
        }
        return name;
    }

    private static IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException(what);
    }

    boolean needsControl() {
        return hasControl || !paths.isEmpty();
    }

    /** The options of the subflows that every connection gets, in addition to its first. */
    List<OpenOptions> paths() {
        return List.copyOf(paths);
    }
}
