package org.subflows;

import java.nio.channels.spi.SelectorProvider;

/**
 * Lets a whole application speak Multipath TCP: {@code java -javaagent:subflows.jar -jar app.jar}.
 *
 * <p>Installs {@link MptcpSelectorProvider}. With {@code -javaagent:subflows.jar=control} every
 * connection that the application makes is under its own control: see {@link ConnectOptions#control}.
 * It does not reach plain {@code Socket} and {@code ServerSocket}; give those who make them {@link
 * MptcpSocketFactory}.
 */
public final class Agent {
    private static final String PROVIDER = "java.nio.channels.spi.SelectorProvider";

    private Agent() {}

    /** Called by the JVM, before the application's own main. */
    public static void premain(String options) {
        for (String option : options == null ? new String[0] : options.split(",")) {
            if (!option.equals("control")) {
                throw new IllegalArgumentException(
                        "subflows: no option of the agent is called " + option + "; there is: control");
            }
            System.setProperty("org.subflows.control", "true");
        }
        String wanted = MptcpSelectorProvider.class.getName();
        String before = System.getProperty(PROVIDER, wanted);
        if (!before.equals(wanted)) {
            throw new IllegalStateException("subflows: another provider is installed: " + before);
        }
        System.setProperty(PROVIDER, wanted);
        if (!(SelectorProvider.provider() instanceof MptcpSelectorProvider)) {
            throw new IllegalStateException("subflows: channels were used before the agent came");
        }
    }
}
