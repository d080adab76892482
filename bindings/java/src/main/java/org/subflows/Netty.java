package org.subflows;

import java.util.List;

/** Reaches Netty's native transports, epoll and io_uring, which make their own sockets. */
final class Netty {
    /**
     * With io_uring, Netty reads until the kernel reports that the socket is empty, and the kernel reports
     * that of every Multipath TCP socket. Without this, Netty asks before each read whether there is more.
     */
    private static final String MULTISHOT = "io.netty.iouring.pollAddMultishotEnabled";

    private Netty() {}

    /** Does so from now on, and for copies of Netty among these classes. */
    static void reach(List<Class<?>> loaded) {
        boolean isReached = Native.reachNetty();
        boolean hasUring = false;
        for (Class<?> known : loaded) {
            if (known.getName().contains("io.netty.channel.")) {
                String name = "L" + known.getName().replace('.', '/') + ";";
                isReached &= Native.reachLoadedNetty(known, name);
                hasUring |= known.getName().endsWith("io.netty.channel.uring.IoUring");
            }
        }
        if (!isReached) {
            Warnings.log(
                    "the agent does not reach Netty's native transports in this JVM. If the application"
                            + " uses Netty, start it with -Dio.netty.transport.noNative=true");
        }
        if (System.getProperty(MULTISHOT) == null) {
            System.setProperty(MULTISHOT, "false");
            if (hasUring) {
                Warnings.log(
                        "Netty's io_uring transport was loaded before the agent, and may not read all that"
                                + " arrives by Multipath TCP: start the application with -D"
                                + MULTISHOT
                                + "=false");
            }
        }
    }
}
