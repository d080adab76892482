package org.subflows;

/**
 * Makes {@code InputStream.available} of a Multipath TCP socket return 0 at the end of the stream, as
 * for TCP. The kernel reports 1. If the peer has closed first, the JDK's TLS reads until it is 0
 * before it closes, and would never end.
 */
final class Available implements Runnable {
    private Available() {}

    /** Does so for all sockets of this JVM, if its JDK has the function that is replaced. */
    static void install() {
        try {
            JdkHook.install("sun.nio.ch.Net", new Available());
        } catch (NoSuchMethodError other) {
            // Another JDK, whose TLS may not ask for the number at all.
        }
    }

    /** Replaces the function that returns how many bytes can be read. */
    @Override
    public native void run();
}
