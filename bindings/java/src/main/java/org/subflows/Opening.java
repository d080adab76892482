package org.subflows;

import java.io.IOException;
import java.net.Socket;
import java.nio.channels.NetworkChannel;
import java.util.Optional;

/**
 * A subflow that is being opened, in steps. If this is closed or becomes unreachable before the
 * subflow is usable, the half-open subflow is closed and the connection goes on. This holds a
 * descriptor of the connection: if the socket is closed before that, the peer learns of it with the
 * next step, or when this is closed.
 */
public final class Opening implements AutoCloseable {
    private final Handle handle;
    private final Object sock;

    private Opening(Object sock, int fd, long[] options) throws SubflowsException {
        this.sock = sock;
        this.handle = new Handle(this, Native.openingBegin(sock, fd, options));
    }

    /** Checks the options and sends the first segment. Never waits. */
    public static Opening begin(Socket sock, OpenOptions options) throws SubflowsException {
        return new Opening(Given.socket(sock), -1, words(options));
    }

    /** Checks the options and sends the first segment. Never waits. */
    public static Opening begin(NetworkChannel sock, OpenOptions options) throws SubflowsException {
        return new Opening(Given.socket(sock), -1, words(options));
    }

    /** Checks the options and sends the first segment. Never waits. */
    public static Opening begin(int sock, OpenOptions options) throws SubflowsException {
        return new Opening(null, sock, words(options));
    }

    private static long[] words(OpenOptions options) {
        return Given.notNull(options, "options", "OpenOptions.defaults()").words();
    }

    static Subflow open(Object sock, int fd, long[] options) throws IOException {
        try (Opening opening = new Opening(sock, fd, options)) {
            return opening.finish();
        }
    }

    /** Returns the subflow if it is usable. Never waits. */
    public Optional<Subflow> advance() throws IOException {
        long[] words = handle.advance(sock);
        return words == null ? Optional.empty() : Optional.of(Subflow.only(words));
    }

    /**
     * Waits until the subflow is usable.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException if this is closed before
     */
    public Subflow finish() throws IOException {
        return Subflow.only(handle.finish(sock));
    }

    /** Gives up if the subflow is not usable yet. A second call does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
