package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is closed is closed: it tells nothing of whoever has its number now, and leaves nothing. */
class CloseTest {
    private static final int ROUNDS = 300;
    /** More than there are processors: the moment that matters is one at which a thread has to wait. */
    private static final int ASKING = 8;

    /** The token of a socket that another thread closes; the next socket gets its number. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aClosedSocketNeverAnswersForAnother(boolean isChannel) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(ASKING);
        try (ServerSocket listener =
                Subflows.listen(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0))) {
            Socket next = connect(listener, isChannel);
            for (int round = 0; round < ROUNDS; round++) {
                Socket sock = next;
                CountDownLatch areAsking = new CountDownLatch(ASKING);
                CompletableFuture<?>[] asked = new CompletableFuture<?>[ASKING];
                for (int index = 0; index < ASKING; index++) {
                    asked[index] =
                            CompletableFuture.runAsync(
                                    () -> ask(sock, isChannel, areAsking), threads);
                }
                areAsking.await();
                sock.close();
                next = connect(listener, isChannel);
                CompletableFuture.allOf(asked).get();
            }
            next.close();
        } finally {
            threads.shutdown();
        }
    }

    private static Socket connect(ServerSocket listener, boolean isChannel) throws IOException {
        Socket sock = isChannel ? Subflows.socketChannel().socket() : Subflows.socket();
        sock.connect(listener.getLocalSocketAddress());
        return sock;
    }

    /** Asks until it is closed; every answer is the same. */
    private static void ask(Socket sock, boolean isChannel, CountDownLatch areAsking) {
        try {
            OptionalLong token = Subflows.status(sock).token();
            areAsking.countDown();
            for (; ; ) {
                Status status =
                        isChannel ? Subflows.status(sock.getChannel()) : Subflows.status(sock);
                assertEquals(token, status.token());
            }
        } catch (SubflowsException closed) {
            assertEquals(ErrorKind.CLOSED, closed.kind());
        }
    }

    /** Verbs that end before their time leave no descriptor and no subflow. */
    @Test
    void whatIsInterruptedLeavesNothing() throws Exception {
        try (Pair pair = Pair.controlled();
                WaitTest.Silence silence = new WaitTest.Silence()) {
            OpenOptions options =
                    OpenOptions.defaults()
                            .remote(silence.address())
                            .timeout(Duration.ofSeconds(60));
            interrupted(pair.client, options);
            long before = descriptors();
            for (int round = 0; round < 20; round++) {
                interrupted(pair.client, options);
            }
            assertEquals(before, descriptors());
            assertEquals(1, Subflows.list(pair.client).size());
            pair.movesData();
        }
    }

    private static void interrupted(Socket sock, OpenOptions options) throws IOException {
        Thread.currentThread().interrupt();
        try {
            Subflows.open(sock, options);
            throw new AssertionError("it was opened to nobody");
        } catch (InterruptedIOException expected) {
            assertTrue(Thread.interrupted());
        }
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }
}
