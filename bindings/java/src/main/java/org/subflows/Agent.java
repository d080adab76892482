package org.subflows;

import java.io.IOException;

/**
 * Lets a whole application speak Multipath TCP: {@code java -javaagent:subflows.jar -jar app.jar}.
 *
 * <p>Every TCP socket that the JDK makes from then on is one of Multipath TCP: sockets and server
 * sockets, channels of both kinds. Where the kernel has none, or the peer, it is plain TCP as before.
 * Options follow after {@code =}, with commas between them:
 *
 * <ul>
 *   <li>{@code control}: the connections that the application makes are under its own control, see
 *       {@link ConnectOptions#control()}. What {@link Subflows#connect} and {@link
 *       Subflows#openChannel} make is as their options say.
 *   <li>{@code via=INTERFACE}: as soon as such a connection takes it, one more subflow is opened over
 *       this interface; several times for several of them. Implies control.
 *   <li>{@code backup=INTERFACE}: as {@code via}, and asks the peer to use it as backup only.
 * </ul>
 *
 * <p>A path that is refused or not answered is tried three times more, within some seconds. What does
 * not work out is logged as a warning of {@code org.subflows}, each thing once, and the application
 * goes on. While a path answers nobody, one connection at a time tries it; those that still wait get it
 * when it is back. One thread does all this; it keeps open nothing that the application closes.
 *
 * <p>The options need CAP_NET_ADMIN. The agent does not reach native code that makes its own sockets,
 * Netty's epoll transport for one.
 */
public final class Agent {
    private Agent() {}

    /** Called by the JVM, before the application's own main. */
    public static void premain(String options) throws IOException {
        String refusal = start(options);
        if (refusal != null) {
            // To throw would bury it among what the JVM has to say about that.
            System.err.println(refusal);
            System.exit(1);
        }
    }

    /** Called by the JVM when the agent is attached to an application that runs already. */
    public static void agentmain(String options) throws IOException {
        String refusal = start(options);
        if (refusal != null) {
            throw new IllegalArgumentException(refusal);
        }
    }

    /** Gives why it does not, where it does not. */
    private static synchronized String start(String options) throws IOException {
        try {
            start(AgentOptions.parse(options));
            return null;
        } catch (IllegalArgumentException | UnsupportedOperationException refusal) {
            return "subflows: " + refusal.getMessage();
        }
    }

    private static void start(AgentOptions options) throws IOException {
        if (options.needsControl()) {
            require("mptcp");
            require("take_control");
            require("events");
        } else if (!can("mptcp").isAvailable()) {
            System.err.println("subflows: plain TCP only: " + why(can("mptcp")));
        }
        if (!options.paths().isEmpty()) {
            require("connections");
        }
        try {
            JdkHook.install(new Sockets());
        } catch (NoSuchMethodError other) {
            throw new UnsupportedOperationException(
                    "this JVM makes its sockets in a way that the agent does not know ("
                            + other.getMessage()
                            + "); use -Djava.nio.channels.spi.SelectorProvider="
                            + MptcpSelectorProvider.class.getName()
                            + " for its channels");
        }
        if (options.needsControl()) {
            Native.control();
        }
        ExtraPaths.follow(options.paths());
    }

    /** Replaces the function that makes the JDK's sockets. */
    private static final class Sockets implements Runnable {
        @Override
        public native void run();
    }

    private static void require(String name) throws SubflowsException {
        if (!can(name).isAvailable()) {
            throw new UnsupportedOperationException(
                    "the agent's options cannot be had here: " + why(can(name)));
        }
    }

    private static Capability can(String name) throws SubflowsException {
        return Subflows.capabilities().stream()
                .filter(capability -> capability.name().equals(name))
                .findAny()
                .orElseThrow();
    }

    private static String why(Capability missing) {
        return missing.cause().orElseThrow() + missing.remedy().map(it -> ". " + it).orElse("");
    }
}
