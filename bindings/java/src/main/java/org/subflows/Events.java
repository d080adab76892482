package org.subflows;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * A stream of events: of one connection, or of the network namespace. It has no end of its own. A
 * connection's last event is {@link EventKind#CLOSED}, which comes at once when this end closes its
 * socket; some connections, as those that time out, end without. Close the stream to end a wait, or
 * bound it: {@link #poll(Duration)}.
 */
public final class Events implements AutoCloseable {
    private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE);

    private final Handle handle;

    private Events(long number) {
        this.handle = new Handle(this, number);
    }

    static Events events(Object sock, int fd) throws SubflowsException {
        return new Events(Native.events(sock, fd));
    }

    /**
     * Follows every connection and listener of the calling thread's network namespace.
     *
     * @throws SubflowsException NOT_PERMITTED
     */
    public static Events ofNamespace() throws SubflowsException {
        return new Events(Native.eventsOfNamespace());
    }

    /** The next event that is there now. */
    public Optional<Event> poll() throws IOException {
        long[] words = Native.eventsNext(handle.number());
        return words == null ? Optional.empty() : Optional.of(Event.only(words));
    }

    /**
     * Waits for the next event, for ever where none comes: so after that of a connection's end.
     *
     * @throws java.io.InterruptedIOException when the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException when the stream is closed meanwhile
     */
    public Event take() throws IOException {
        for (; ; ) {
            Optional<Event> event = poll();
            if (event.isPresent()) {
                return event.get();
            }
            handle.await(Long.MAX_VALUE);
        }
    }

    /**
     * Waits for the next event, at most that long.
     *
     * @throws java.io.InterruptedIOException when the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException when the stream is closed meanwhile
     */
    public Optional<Event> poll(Duration timeout) throws IOException {
        long span = nanos(timeout);
        long start = System.nanoTime();
        for (; ; ) {
            Optional<Event> event = poll();
            long left = span - (System.nanoTime() - start);
            if (event.isPresent() || left <= 0) {
                return event;
            }
            handle.await(left);
        }
    }

    /** What a number cannot hold is as good as for ever, in either direction. */
    private static long nanos(Duration span) {
        if (span.isNegative()) {
            return 0;
        }
        return span.compareTo(LONGEST) < 0 ? span.toNanos() : Long.MAX_VALUE;
    }

    /** How many bytes of events the kernel is to keep; about 256 events' worth by default. */
    public void setBuffer(int bytes) throws IOException {
        Native.eventsSetBuffer(handle.number(), Options.inRange(bytes, Integer.MAX_VALUE, "bytes"));
    }

    /** Closes the stream; who waits for it is told. A second time does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
