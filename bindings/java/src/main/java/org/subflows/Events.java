package org.subflows;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * A stream of events: of one connection, or of the network namespace. The stream itself does not end.
 * A connection's last event is {@link EventKind#CLOSED}, which comes at once when this end closes its
 * socket; some connections end without it, for example those that time out. Close the stream to end a
 * wait, or limit the wait: {@link #poll(Duration)}.
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

    /** Returns the next event if one has come. Never waits. */
    public Optional<Event> poll() throws IOException {
        return event(Native.eventsPoll(handle.number()));
    }

    /**
     * Waits for the next event, forever if none comes: for example, after the event of the
     * connection's end.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException if the stream is closed before
     */
    public Event take() throws IOException {
        for (; ; ) {
            Optional<Event> event = next(Long.MAX_VALUE);
            if (event.isPresent()) {
                return event.get();
            }
        }
    }

    /**
     * Waits for the next event, at most for that time.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException if the stream is closed before
     */
    public Optional<Event> poll(Duration timeout) throws IOException {
        return next(nanos(timeout));
    }

    private Optional<Event> next(long nanos) throws IOException {
        // An event that has come needs no wait, which costs a descriptor.
        Optional<Event> event = poll();
        return event.isPresent() || nanos == 0
                ? event
                : event(handle.await(wait -> Native.eventsNext(handle.number(), wait, nanos)));
    }

    private static Optional<Event> event(long[] words) {
        return words == null ? Optional.empty() : Optional.of(Event.only(words));
    }

    /** A negative span is 0. A span that is too long for a number is the longest one. */
    private static long nanos(Duration span) {
        if (span.isNegative()) {
            return 0;
        }
        return span.compareTo(LONGEST) < 0 ? span.toNanos() : Long.MAX_VALUE;
    }

    /** Sets how many bytes of events the kernel keeps; by default enough for about 256 events. */
    public void setBuffer(int bytes) throws IOException {
        Native.eventsSetBuffer(handle.number(), Options.inRange(bytes, Integer.MAX_VALUE, "bytes"));
    }

    /** Closes the stream and ends the waits for it. A second call does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
