package org.subflows;

import java.util.ArrayList;
import java.util.List;

/** The options after {@code -javaagent:subflows.jar=}. */
final class AgentOptions {
    private static final int LONGEST_INTERFACE = 15;

    private boolean hasControl;
    private boolean hasHotplug;
    private final List<OpenOptions> paths = new ArrayList<>();
    /** Pairs of an option and the interface that it names. */
    private final List<String[]> named = new ArrayList<>();

    private AgentOptions() {}

    static AgentOptions parse(String text) {
        AgentOptions options = new AgentOptions();
        if (text != null && !text.isEmpty()) {
            for (String option : text.split(",", -1)) {
                options.add(option.trim());
            }
        }
        options.checkInterfaces();
        return options;
    }

    private void add(String option) {
        int equals = option.indexOf('=');
        String name = equals < 0 ? option : option.substring(0, equals);
        String value = equals < 0 ? null : option.substring(equals + 1);
        switch (name) {
            case "control":
                withoutValue(name, value);
                hasControl = true;
                break;
            case "hotplug":
                withoutValue(name, value);
                hasHotplug = true;
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
                                + ": use control, via=INTERFACE, backup=INTERFACE or hotplug, separated by"
                                + " commas");
        }
    }

    private static void withoutValue(String name, String value) {
        if (value != null) {
            throw wrong("the agent option " + name + " takes no value: use " + name + " alone");
        }
    }

    private String networkInterface(String option, String name) {
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
        if (name.matches(".*[;:/=\\s].*")) {
            throw wrong(
                    "the agent option " + option + "=" + name + " does not name one interface:"
                            + " separate options by commas, for example via=eth1,backup=wwan0");
        }
        named.add(new String[] {option, name});
        return name;
    }

    /** An interface that does not exist at the start is a mistake, unless it may appear later. */
    private void checkInterfaces() {
        for (String[] pair : named) {
            if (!hasHotplug && !Native.hasInterface(pair[1])) {
                throw wrong(
                        "the agent option " + pair[0] + "=" + pair[1] + " names an interface that does not"
                                + " exist in this network namespace: correct the name (ip link lists them),"
                                + " or add the option hotplug if the interface may come later");
            }
        }
        if (hasHotplug && paths.isEmpty()) {
            throw wrong("the agent option hotplug requires via=INTERFACE or backup=INTERFACE");
        }
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
