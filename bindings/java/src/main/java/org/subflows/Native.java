package org.subflows;

import java.io.IOException;
import java.net.SocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.function.Consumer;

/**
 * The functions of the native part. A socket is an object, or null and a descriptor; records and
 * options are words, see {@link Row} and {@link Options}.
 */
final class Native extends NativeVerbs {
    private Native() {}

    /** Returns the provider that the JDK uses if no property names another. */
    static native SelectorProvider defaultProvider();

    /** Puts the connections that the {@link Agent}'s sockets make under control from now on. */
    static native void control();

    /** Whether there is an interface of this name. */
    static native boolean hasInterface(String name);

    /**
     * Makes the sockets of Netty's native transports Multipath TCP sockets, if Netty is loaded from now
     * on. Returns false if this JVM does not allow that.
     */
    static native boolean reachNetty();

    /** As {@link #reachNetty}, for a class that has been loaded, whose name is that of class files. */
    static native boolean reachLoadedNetty(Class<?> loaded, String name);

    /**
     * Opens further subflows of the connections that the {@link Agent}'s sockets make, and reports
     * failures. Does not return.
     */
    static native void follow(long[][] paths, Consumer<String> report) throws SubflowsException;

    /** Makes a socket that the JDK has just created, and that has no options yet, Multipath TCP. */
    static native void upgradeNew(Object sock) throws SubflowsException;

    static native void takeControl(Object sock, int fd) throws SubflowsException;

    static native void upgrade(Object sock, int fd) throws SubflowsException;

    static native long connectingBegin(long[] remotes, long[] options) throws SubflowsException;

    static native SocketChannel connectingFinish(
            long handle, SelectorProvider provider, SocketAddress remote) throws IOException;

    static native ServerSocketChannel listen(
            long[] locals, boolean isAny, long[] options, SelectorProvider provider)
            throws IOException;

    static native long openingBegin(Object sock, int fd, long[] options) throws SubflowsException;

    static native long examiningBegin(long[] options) throws SubflowsException;

    static native long probingBegin(long[] address, long[] options) throws SubflowsException;

    static native long announce(Object sock, int fd, long[] address, long[] options)
            throws SubflowsException;

    static native int announcedId(long handle) throws IOException;

    static native long[] announcedAddress(long handle) throws IOException;

    static native int announcedTurnAway(long handle) throws IOException;

    static native void announcedWithdraw(long handle) throws SubflowsException;

    static native long events(Object sock, int fd) throws SubflowsException;

    static native long eventsOfNamespace() throws SubflowsException;

    static native long[] eventsPoll(long handle) throws IOException;

    static native long[] eventsNext(long handle, long wait, long nanos) throws IOException;

    static native void eventsSetBuffer(long handle, int bytes) throws IOException;

    /**
     * Returns the result, or null if there is none yet. Never waits. Fails if the socket is closed,
     * unless it is null.
     */
    static native long[] advance(long handle, Object sock) throws IOException;

    /** Waits for the result. Returns null if the wait is woken. */
    static native long[] awaitResult(long handle, long wait, Object sock) throws IOException;

    static native void closeHandle(long handle);

    /** Prepares a wait, which {@link #wake} can end from now on, and returns its number. */
    static native long waitBegin(long handle) throws IOException;

    static native void wake(long handle, long wait);

    static native void waitEnd(long handle, long wait);
}
