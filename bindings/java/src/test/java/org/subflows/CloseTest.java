package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A closed socket never answers for the next file with its number, and leaves nothing behind. */
class CloseTest {
    private static final int ROUNDS = 300;
    private static final int UPGRADES = 500;
    /** More threads than processors: the race needs a thread that is not running at that moment. */
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
            assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
        }
    }

    private static Socket connect(ServerSocket listener, boolean isChannel) throws IOException {
        Socket sock = isChannel ? Subflows.socketChannel().socket() : Subflows.socket();
        sock.connect(listener.getLocalSocketAddress());
        return sock;
    }

    /** Asks until the socket is closed. Every answer must be the same. */
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

    /** An upgrade that came after the close once replaced the file that had the number then. */
    @ParameterizedTest
    @ValueSource(strings = {"socket", "channel", "asynchronous"})
    void whatIsClosedWhileItIsUpgradedHarmsNoOther(String kind) throws Exception {
        // The first asynchronous channel opens the descriptors of its threads.
        make(kind).close();
        assertLeaveNoDescriptor(() -> closeWhileUpgraded(kind));
    }

    private static void closeWhileUpgraded(String kind) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        Path file = Files.createTempFile("subflows", null);
        try {
            for (int round = 0; round < UPGRADES; round++) {
                Closeable sock = make(kind);
                CyclicBarrier start = new CyclicBarrier(2);
                Future<?> upgraded = threads.submit(() -> upgrade(sock, start));
                int spins = round % 100 * 20;
                threads.submit(() -> closeAndWrite(sock, start, spins, file)).get();
                upgraded.get();
            }
        } finally {
            threads.shutdown();
            // The threads have descriptors of their own, until they end.
            assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
            Files.delete(file);
        }
    }

    private static Closeable make(String kind) throws IOException {
        switch (kind) {
            case "socket":
                Socket sock = new Socket();
                sock.setReuseAddress(false);
                return sock;
            case "channel":
                return SocketChannel.open();
            default:
                return AsynchronousSocketChannel.open();
        }
    }

    private static Void upgrade(Closeable sock, CyclicBarrier start) throws Exception {
        start.await();
        try {
            if (sock instanceof Socket) {
                Subflows.upgrade((Socket) sock);
            } else {
                Subflows.upgrade((NetworkChannel) sock);
            }
        } catch (SubflowsException closed) {
            assertEquals(ErrorKind.CLOSED, closed.kind());
        }
        return null;
    }

    private static Void closeAndWrite(Closeable sock, CyclicBarrier start, int spins, Path file)
            throws Exception {
        start.await();
        for (int spin = 0; spin < spins; spin++) {
            Thread.onSpinWait();
        }
        sock.close();
        try (OutputStream one = Files.newOutputStream(file);
                OutputStream two = Files.newOutputStream(file)) {
            for (int count = 0; count < 10; count++) {
                one.write('1');
                two.write('2');
            }
        }
        return null;
    }

    /** Interrupted verbs leave no descriptor and no subflow. */
    @Test
    void whatIsInterruptedLeavesNothing() throws Exception {
        try (Pair pair = Pair.controlled();
                WaitTest.Silence silence = new WaitTest.Silence()) {
            OpenOptions options =
                    OpenOptions.defaults()
                            .remote(silence.address())
                            .timeout(Duration.ofSeconds(60));
            assertLeaveNoDescriptor(
                    () -> {
                        for (int round = 0; round < 20; round++) {
                            interrupted(pair.client, options);
                        }
                    });
            assertEquals(1, Subflows.list(pair.client).size());
            pair.movesData();
        }
    }

    private static void interrupted(Socket sock, OpenOptions options) throws IOException {
        Thread.currentThread().interrupt();
        try {
            Subflows.open(sock, options);
            throw new AssertionError("opened without an answer");
        } catch (InterruptedIOException expected) {
            assertTrue(Thread.interrupted());
        }
    }

    interface Rounds {
        void run() throws Exception;
    }

    /**
     * Runs the rounds, and fails if they leave descriptors. The JVM opens files of its own for a
     * moment, such as those of its control group, and the library may keep one netlink socket more
     * from then on. What leaks, however, leaks each time.
     */
    static void assertLeaveNoDescriptor(Rounds rounds) throws Exception {
        for (int attempt = 1; ; attempt++) {
            List<Path> before = opened();
            rounds.run();
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(3);
            while (System.nanoTime() < deadline) {
                if (opened().size() <= before.size()) {
                    return;
                }
                Thread.onSpinWait();
            }
            assertTrue(attempt < 3, before + " became " + opened());
        }
    }

    /** The files that the descriptors of this process belong to. */
    private static List<Path> opened() throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : all) {
                try {
                    files.add(Files.readSymbolicLink(descriptor));
                } catch (NoSuchFileException closed) {
                    // Another thread has closed it since.
                }
            }
        }
        return files;
    }
}
