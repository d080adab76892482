package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A wait ends at once if its thread is interrupted, or if what it waits for is closed. */
class WaitTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    /** In milliseconds: far less than LONG, and enough for a busy machine. */
    private static final long SOON = 2000;

    interface Wait {
        void run() throws Exception;
    }

    /** Starts a thread: of the platform, or a virtual one if the JVM has them. */
    interface Threads {
        Thread start(Runnable task) throws ReflectiveOperationException;
    }

    static List<Threads> threads() {
        List<Threads> kinds = new ArrayList<>();
        kinds.add(
                task -> {
                    Thread thread = new Thread(task);
                    thread.start();
                    return thread;
                });
        if (Runtime.version().feature() >= 21) {
            kinds.add(
                    task ->
                            (Thread)
                                    Thread.class
                                            .getMethod("startVirtualThread", Runnable.class)
                                            .invoke(null, task));
        }
        return kinds;
    }

    /** An address on loopback that does not answer: a listener whose queue is full. */
    static final class Silence implements AutoCloseable {
        private final ServerSocket full;
        private final List<SocketChannel> waiting = new ArrayList<>();

        Silence() throws IOException {
            full = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
            for (int index = 0; index < 6; index++) {
                SocketChannel one = SocketChannel.open();
                one.configureBlocking(false);
                one.connect(full.getLocalSocketAddress());
                waiting.add(one);
            }
        }

        InetSocketAddress address() {
            return (InetSocketAddress) full.getLocalSocketAddress();
        }

        @Override
        public void close() throws IOException {
            for (SocketChannel one : waiting) {
                one.close();
            }
            full.close();
        }
    }

    /** Ends the wait, which must happen soon, and returns what it threw. */
    private static Throwable outcome(Threads threads, Wait wait, Wait end, boolean isInterrupted)
            throws Exception {
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        Thread thread =
                threads.start(
                        () -> {
                            Throwable how = null;
                            try {
                                wait.run();
                            } catch (Throwable thrown) {
                                how = thrown;
                            }
                            interrupted.complete(Thread.currentThread().isInterrupted());
                            outcome.complete(how);
                        });
        awaitBlocked(thread);
        long start = System.nanoTime();
        if (isInterrupted) {
            thread.interrupt();
        } else {
            end.run();
        }
        Throwable how = outcome.get(10, TimeUnit.SECONDS);
        long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        assertTrue(took <= SOON, "it took " + took + " ms");
        assertEquals(isInterrupted, interrupted.get());
        return how;
    }

    /** The native functions that wait, and the method that waits for another thread to call one. */
    private static final Set<String> WAITING =
            Set.of("awaitResult", "eventsNext", "callElsewhere");

    /** Returns when the thread waits: in native code, or for another thread that does. */
    private static void awaitBlocked(Thread thread) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (System.nanoTime() < deadline) {
            for (StackTraceElement frame : thread.getStackTrace()) {
                if (WAITING.contains(frame.getMethodName())) {
                    return;
                }
            }
            Thread.onSpinWait();
        }
        throw new AssertionError("the thread does not wait");
    }

    @ParameterizedTest
    @MethodSource("threads")
    void openEndsByInterrupt(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Silence silence = new Silence()) {
            OpenOptions options = OpenOptions.defaults().remote(silence.address()).timeout(LONG);
            Throwable how =
                    outcome(threads, () -> Subflows.open(pair.client, options), null, true);
            assertInstanceOf(InterruptedIOException.class, how);
            // The half-open subflow is gone, and the connection goes on.
            assertEquals(1, Subflows.list(pair.client).size());
            pair.movesData();
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void openEndsWhenTheSocketIsClosed(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Silence silence = new Silence()) {
            OpenOptions options = OpenOptions.defaults().remote(silence.address()).timeout(LONG);
            Wait wait = () -> Subflows.open(pair.client, options);
            Throwable how = outcome(threads, wait, pair.client::close, false);
            assertEquals(
                    ErrorKind.CLOSED, assertInstanceOf(SubflowsException.class, how).kind());
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void anOpeningEndsWhenItIsClosed(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Silence silence = new Silence()) {
            OpenOptions options = OpenOptions.defaults().remote(silence.address()).timeout(LONG);
            Opening opening = Opening.begin(pair.client, options);
            Throwable how = outcome(threads, opening::finish, opening::close, false);
            assertInstanceOf(ClosedChannelException.class, how);
            assertEquals(1, Subflows.list(pair.client).size());
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void connectEndsByInterrupt(Threads threads) throws Exception {
        try (Silence silence = new Silence()) {
            ConnectOptions options = ConnectOptions.defaults().timeout(LONG);
            Wait wait = () -> Subflows.connect(silence.address(), options);
            assertInstanceOf(InterruptedIOException.class, outcome(threads, wait, null, true));
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void probeEndsByInterruptOrWhenItIsClosed(Threads threads) throws Exception {
        try (Silence silence = new Silence()) {
            ProbeOptions options = ProbeOptions.defaults().timeout(LONG);
            Wait wait = () -> Subflows.probe(silence.address(), options);
            assertInstanceOf(InterruptedIOException.class, outcome(threads, wait, null, true));
            Probing probing = Probing.begin(silence.address(), options);
            Throwable how = outcome(threads, probing::finish, probing::close, false);
            assertInstanceOf(ClosedChannelException.class, how);
        }
        try (Pair pair = Pair.controlled()) {
            InetSocketAddress address = (InetSocketAddress) pair.listener.getLocalSocketAddress();
            assertEquals(Verdict.MPTCP, Subflows.probe(address).verdict());
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void doctorEndsByInterruptOrWhenItIsClosed(Threads threads) throws Exception {
        try (Silence silence = new Silence()) {
            DoctorOptions options =
                    DoctorOptions.defaults().remote(silence.address()).timeout(LONG);
            Wait wait = () -> Subflows.doctor(options);
            assertInstanceOf(InterruptedIOException.class, outcome(threads, wait, null, true));
            Examining examining = Examining.begin(options);
            Throwable how = outcome(threads, examining::finish, examining::close, false);
            assertInstanceOf(ClosedChannelException.class, how);
        }
        try (Examining examining = Examining.begin(DoctorOptions.defaults())) {
            assertEquals(Subflows.doctor(), examining.advance().orElseThrow());
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void eventsEndByInterruptAndGoOn(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Events events = Subflows.events(pair.client)) {
            Throwable how = outcome(threads, events::take, null, true);
            assertInstanceOf(InterruptedIOException.class, how);
            Subflows.open(pair.client, OpenOptions.from(InetAddress.getByName("127.0.0.2")));
            assertEquals(EventKind.SUBFLOW_ESTABLISHED, events.take().kind());
        }
    }

    /** The stream stays open, but reports the end of the connection. */
    @ParameterizedTest
    @MethodSource("threads")
    void eventsReportThatTheSocketIsClosed(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Events events = Subflows.events(pair.client)) {
            CompletableFuture<EventKind> reported = new CompletableFuture<>();
            Wait wait = () -> reported.complete(events.take().kind());
            assertNull(outcome(threads, wait, pair.client::close, false));
            assertEquals(EventKind.CLOSED, reported.get());
            assertTrue(events.poll(Duration.ofMillis(200)).isEmpty());
        }
    }

    @ParameterizedTest
    @MethodSource("threads")
    void eventsEndWhenTheyAreClosed(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled()) {
            Events events = Subflows.events(pair.client);
            Throwable how = outcome(threads, events::take, events::close, false);
            assertInstanceOf(ClosedChannelException.class, how);
        }
    }

    /** With one wake descriptor for all waits, the wrong thread once woke and an interrupt was lost. */
    @ParameterizedTest
    @MethodSource("threads")
    void ofTwoWaitsTheInterruptedOneEnds(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled()) {
            for (int round = 0; round < 20; round++) {
                Events events = Subflows.events(pair.client);
                CompletableFuture<Throwable> mine = new CompletableFuture<>();
                CompletableFuture<Throwable> other = new CompletableFuture<>();
                Thread first = threads.start(() -> take(events, mine));
                Thread second = threads.start(() -> take(events, other));
                awaitBlocked(first);
                awaitBlocked(second);
                first.interrupt();
                Throwable how = mine.get(10, TimeUnit.SECONDS);
                assertInstanceOf(InterruptedIOException.class, how);
                assertFalse(other.isDone());
                // The other thread waits on, until the stream is closed.
                events.close();
                how = other.get(10, TimeUnit.SECONDS);
                assertInstanceOf(ClosedChannelException.class, how);
            }
        }
    }

    private static void take(Events events, CompletableFuture<Throwable> outcome) {
        try {
            outcome.completeExceptionally(new AssertionError("unexpected event: " + events.take()));
        } catch (Throwable how) {
            outcome.complete(how);
        }
    }

    /** Each wait has its own wake descriptor, which is closed however the wait ends. */
    @ParameterizedTest
    @MethodSource("threads")
    void aWaitLeavesNoDescriptor(Threads threads) throws Exception {
        try (Pair pair = Pair.controlled();
                Events events = Subflows.events(pair.client)) {
            CloseTest.assertLeaveNoDescriptor(
                    () -> {
                        for (int round = 0; round < 20; round++) {
                            outcome(threads, events::take, null, true);
                            events.poll(Duration.ofMillis(1));
                            Events closed = Subflows.events(pair.client);
                            outcome(threads, closed::take, closed::close, false);
                        }
                    });
        }
    }

    @Test
    void aThreadThatIsInterruptedAlreadyDoesNotWait() throws Exception {
        try (Silence silence = new Silence()) {
            Thread.currentThread().interrupt();
            try (Socket sock = Subflows.connect(silence.address())) {
                throw new AssertionError("connected without an answer: " + sock);
            } catch (InterruptedIOException expected) {
                assertTrue(Thread.interrupted());
            }
        }
    }

    @Test
    void theTimeRunsOut() throws Exception {
        try (Pair pair = Pair.controlled();
                Silence silence = new Silence();
                Events events = Subflows.events(pair.client)) {
            Duration time = Duration.ofMillis(200);
            OpenOptions options = OpenOptions.defaults().remote(silence.address()).timeout(time);
            long start = System.nanoTime();
            try {
                Subflows.open(pair.client, options);
                throw new AssertionError("opened without an answer");
            } catch (SubflowsException error) {
                assertEquals(ErrorKind.TIMED_OUT, error.kind());
            }
            assertTrue(System.nanoTime() - start >= time.toNanos());
            while (events.poll(Duration.ZERO).isPresent()) {}
            start = System.nanoTime();
            assertTrue(events.poll(time).isEmpty());
            assertTrue(System.nanoTime() - start >= time.toNanos());
        }
    }
}
