package org.subflows;

/**
 * Makes {@code InputStream.available} of a Multipath TCP socket tell 0 at the end of the stream, as
 * TCP's does; the kernel says 1. The JDK's TLS would read until it is 0, and never end, where it closes
 * a connection after the peer has.
 */
final class Available implements Runnable {
    private Available() {}

    /** For all sockets of this JVM; where its JDK asks the kernel in another way, it stays as it is. */
    static void mend() {
        try {
            JdkHook.install(new Available());
        } catch (NoSuchMethodError other) {
            // Another JDK, whose TLS may not ask at all.
        }
    }

    /** Replaces the function that tells how much can be read. */
    @Override
    public native void run();
}
