package org.subflows;

import java.io.IOException;
import java.net.ProtocolFamily;
import java.net.SocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.function.Consumer;

/**
 * The functions of the native part. A socket is an object, or null and a descriptor; records and
 * options are words, see {@link Row} and {@link Options}.
 */
final class Native {
    static {
        NativeLibrary.load();
        Available.mend();
    }

    private Native() {}

    /** The provider that the JDK has without any property. */
    static native SelectorProvider defaultProvider();

    /** Puts what the {@link Agent}'s sockets connect to under control from now on. */
    static native void control();

    /**
     * Opens further subflows of what the {@link Agent}'s sockets connect to, and tells what does not
     * work out. Does not return.
     */
    static native void follow(long[][] paths, Consumer<String> tell) throws SubflowsException;

    /** Makes a socket that the JDK has just created, and that has no options yet, Multipath TCP. */
    static native void upgradeNew(Object sock) throws SubflowsException;

    static native void upgrade(Object sock, int fd) throws SubflowsException;

    static native long connectingBegin(long[] remote, long[] options) throws SubflowsException;

    static native boolean connectingAdvance(long handle) throws SubflowsException;

    static native SocketChannel connectingFinish(
            long handle, SelectorProvider provider, ProtocolFamily family, SocketAddress remote)
            throws IOException;

    static native ServerSocketChannel listen(
            long[] local, long[] options, SelectorProvider provider, ProtocolFamily family)
            throws IOException;

    static native void takeControl(Object sock, int fd) throws SubflowsException;

    static native long[] status(Object sock, int fd) throws SubflowsException;

    static native long[] info(Object sock, int fd) throws SubflowsException;

    static native long[] list(Object sock, int fd) throws SubflowsException;

    static native long[] details(Object sock, int fd, long id) throws SubflowsException;

    static native void close(Object sock, int fd, long id, boolean force) throws SubflowsException;

    static native void setBackup(Object sock, int fd, long id, boolean backup)
            throws SubflowsException;

    static native long openingBegin(Object sock, int fd, long[] options) throws SubflowsException;

    static native long[] openingAdvance(long handle, Object sock) throws IOException;

    static native long announce(Object sock, int fd, long[] address, long[] options)
            throws SubflowsException;

    static native int announcedId(long handle) throws IOException;

    static native long[] announcedAddress(long handle) throws IOException;

    static native int announcedTurnAway(long handle) throws IOException;

    static native void announcedWithdraw(long handle) throws SubflowsException;

    static native long[] addresses(Object sock, int fd) throws SubflowsException;

    static native long events(Object sock, int fd) throws SubflowsException;

    static native long eventsOfNamespace() throws SubflowsException;

    static native long[] eventsNext(long handle) throws IOException;

    static native void eventsSetBuffer(long handle, int bytes) throws IOException;

    static native long[] connections(long[] options) throws SubflowsException;

    static native long[] connection(long token) throws SubflowsException;

    static native long[] capabilities() throws SubflowsException;

    /** How long a wait for the handle may last at most, in nanoseconds. */
    static native long timeLeft(long handle) throws IOException;

    /** Prepares a wait, which {@link #ring} can end from now on; gives its number. */
    static native long waitingBegin(long handle) throws IOException;

    /** Waits until there is something to look at, {@link #ring} is called or the time is up. */
    static native void awaitNews(long handle, long wait, long nanos) throws IOException;

    static native void ring(long handle, long wait);

    static native void waitingEnd(long handle, long wait);

    static native void forget(long handle);
}
