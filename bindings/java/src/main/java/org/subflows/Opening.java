package org.subflows;

import java.io.IOException;
import java.net.Socket;
import java.nio.channels.NetworkChannel;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A subflow that is being opened, in steps. Closed or forgotten before it is usable, the half-open
 * subflow is closed again and the connection goes on. It holds a descriptor of the connection: when the
 * socket is closed meanwhile, the peer sees that with the next step, or when this is closed.
 */
public final class Opening implements AutoCloseable {
    /** Nothing tells that a socket is closed by another thread, so it is looked at this often. */
    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(50);

    private final Handle handle;
    private final Object sock;

    private Opening(Object sock, int fd, long[] options) throws SubflowsException {
        this.sock = sock;
        this.handle = new Handle(this, Native.openingBegin(sock, fd, options));
    }

    /** Checks everything, sends the first segment, and waits for nothing. */
    public static Opening begin(Socket sock, OpenOptions options) throws SubflowsException {
        return new Opening(Objects.requireNonNull(sock, "sock"), -1, options.words());
    }

    /** Checks everything, sends the first segment, and waits for nothing. */
    public static Opening begin(NetworkChannel sock, OpenOptions options) throws SubflowsException {
        return new Opening(Objects.requireNonNull(sock, "sock"), -1, options.words());
    }

    /** Checks everything, sends the first segment, and waits for nothing. */
    public static Opening begin(int sock, OpenOptions options) throws SubflowsException {
        return new Opening(null, sock, options.words());
    }

    static Subflow open(Object sock, int fd, long[] options) throws IOException {
        try (Opening opening = new Opening(sock, fd, options)) {
            return opening.finish();
        }
    }

    /** Looks whether the subflow is usable, without waiting. */
    public Optional<Subflow> advance() throws IOException {
        long[] words = Native.openingAdvance(handle.number(), sock);
        return words == null ? Optional.empty() : Optional.of(Subflow.only(words));
    }

    /**
     * Waits until the subflow is usable.
     *
     * @throws java.io.InterruptedIOException when the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException when this is closed meanwhile
     */
    public Subflow finish() throws IOException {
        for (; ; ) {
            Optional<Subflow> subflow = advance();
            if (subflow.isPresent()) {
                return subflow.get();
            }
            long left = Native.timeLeft(handle.number());
            handle.await(sock == null ? left : Math.min(left, LOOK));
        }
    }

    /** Gives up, if it is not usable yet. A second time does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
