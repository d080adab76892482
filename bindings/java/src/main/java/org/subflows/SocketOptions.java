package org.subflows;

import java.util.function.Consumer;

/**
 * Answers options that the kernel does not have for Multipath TCP sockets as TCP would, if they make no
 * difference: for example SO_OOBINLINE false and SO_REUSEADDR, which servers set on what they accept. The
 * other options fail, and each is logged once.
 */
final class SocketOptions implements Runnable, Consumer<String> {
    /** The native part refers to it weakly, so that its class loader can be unloaded. */
    private static final SocketOptions REPORTS = new SocketOptions();

    private SocketOptions() {}

    /** Does so for all sockets of this JVM, if its JDK has the functions that are replaced. */
    static void install() {
        try {
            JdkHook.install("sun.nio.ch.Net", REPORTS);
            JdkHook.install("jdk.net.LinuxSocketOptions", new QuickAck());
        } catch (NoSuchMethodError other) {
            // Another JDK, or one without the module jdk.net.
        }
    }

    /** Replaces the functions that set and read options. */
    @Override
    public native void run();

    @Override
    public void accept(String what) {
        Warnings.log(what);
    }

    /** TCP_QUICKACK, which has functions of its own. */
    private static final class QuickAck implements Runnable {
        @Override
        public native void run();
    }
}
