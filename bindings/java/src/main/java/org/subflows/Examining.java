package org.subflows;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * An examination by {@code doctor}, in steps. If this is closed or becomes unreachable before the
 * examination has ended, its connections are closed.
 */
public final class Examining implements AutoCloseable {
    private final Handle handle;

    private Examining(long[] options) throws SubflowsException {
        this.handle = new Handle(this, Native.examiningBegin(options));
    }

    /**
     * Examines this host, and sends the first segment to the remote address. Does not wait for the
     * network. Then call {@link #finish}, or {@link #advance} often.
     */
    public static Examining begin(DoctorOptions options) throws SubflowsException {
        return new Examining(
                Given.notNull(options, "options", "DoctorOptions.defaults()").words());
    }

    static List<Finding> doctor(long[] options) throws IOException {
        try (Examining examining = new Examining(options)) {
            return examining.finish();
        }
    }

    /** Returns the findings if the examination has ended. Never waits for an answer. */
    public Optional<List<Finding>> advance() throws IOException {
        long[] words = handle.advance(null);
        return words == null ? Optional.empty() : Optional.of(Finding.all(words, 0));
    }

    /**
     * Waits until the examination has ended.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException if this is closed before
     */
    public List<Finding> finish() throws IOException {
        return Finding.all(handle.finish(null), 0);
    }

    /** Ends the examination. A second call does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
