package org.subflows;

import java.io.IOException;
import java.lang.instrument.Instrumentation;
import java.util.List;

/**
 * Lets a whole application speak Multipath TCP: {@code java -javaagent:subflows.jar -jar app.jar}.
 *
 * <p>Every TCP socket that the JDK makes from then on is a Multipath TCP socket: sockets, server
 * sockets, and channels of both kinds. If the kernel or the peer does not support Multipath TCP, the
 * connection is plain TCP as before. Options follow after {@code =}, separated by commas:
 *
 * <ul>
 *   <li>{@code control}: the connections that the application makes are under its own control, see
 *       {@link ConnectOptions#control()}. For the connections of {@link Subflows#connect} and {@link
 *       Subflows#openChannel}, the options of the call decide.
 *   <li>{@code via=INTERFACE}: as soon as such a connection accepts further subflows, one more is
 *       opened over this interface. May be repeated, for several interfaces. Implies control.
 *   <li>{@code backup=INTERFACE}: as {@code via}, and asks the peer to use that subflow as backup only.
 *   <li>{@code hotplug}: these interfaces need not exist yet when the application starts.
 * </ul>
 *
 * <p>If a subflow is refused or not answered, the agent tries three more times, within some seconds.
 * Each failure is logged once, as a warning of the logger {@code org.subflows}, and the application
 * goes on. While a path does not answer, only one connection at a time tries it; the connections that
 * still wait get their subflow when the path is back. One thread does all this. It does not keep
 * connections open that the application closes.
 *
 * <p>The options require CAP_NET_ADMIN. The agent reaches Netty's native transports, epoll and
 * io_uring. It does not reach other native code that makes its own sockets.
 */
public final class Agent {
    private Agent() {}

    /** Called by the JVM, before the application's main method. */
    public static void premain(String options) {
        String refusal = start(options, List.of());
        if (refusal != null) {
            // An exception would be lost in the JVM's own messages about it.
            System.err.println(refusal);
            System.exit(1);
        }
    }

    /** Called by the JVM when the agent is attached to a running application. */
    public static void agentmain(String options, Instrumentation loaded) {
        String refusal = start(options, List.of(loaded.getAllLoadedClasses()));
        if (refusal != null) {
            throw new IllegalArgumentException(refusal);
        }
    }

    /** Starts the agent. Returns why that is not possible, or null. */
    private static synchronized String start(String options, List<Class<?>> loaded) {
        try {
            start(AgentOptions.parse(options));
            Netty.reach(loaded);
            return null;
        } catch (IllegalArgumentException
                | UnsupportedOperationException
                | UnsatisfiedLinkError
                | IOException refusal) {
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
            JdkHook.install("sun.nio.ch.Net", new Sockets());
        } catch (NoSuchMethodError other) {
            throw new UnsupportedOperationException(
                    "this JVM makes its sockets in a way that the agent does not support ("
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

    /** Replaces the native function that makes the JDK's sockets. */
    private static final class Sockets implements Runnable {
        @Override
        public native void run();
    }

    private static void require(String name) throws SubflowsException {
        if (!can(name).isAvailable()) {
            throw new UnsupportedOperationException(
                    "the agent's options are not available here: " + why(can(name)));
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
