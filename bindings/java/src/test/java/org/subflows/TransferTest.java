package org.subflows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The JDK's calls that move files lose and damage nothing if a path is cut midway. */
class TransferTest {
    /** More than the buffers of both ends hold when half of it has arrived. */
    private static final int SIZE = 32 << 20;

    private static final String RULES =
            "add table inet cut\n"
                    + "add chain inet cut arriving { type filter hook prerouting priority -300; }\n"
                    + "add rule inet cut arriving tcp sport %1$d drop\n"
                    + "add rule inet cut arriving tcp dport %1$d drop\n";

    @TempDir Path folder;

    /** Computes the checksum of what it is given, and cuts a path when half of the data has arrived. */
    private static final class Sink extends OutputStream {
        private final MessageDigest digest;
        private final SocketChannel socket;
        private int received;

        Sink(SocketChannel socket) throws Exception {
            this.socket = socket;
            digest = MessageDigest.getInstance("SHA-256");
        }

        @Override
        public void write(int single) throws IOException {
            write(new byte[] {(byte) single});
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            digest.update(bytes, offset, length);
            int before = received;
            received += length;
            if (before < SIZE / 2 && received >= SIZE / 2) {
                Comparator<Subflow> byBytes = Comparator.comparing(Subflow::bytesReceived);
                Subflow busiest = Subflows.list(socket).stream().max(byBytes).orElseThrow();
                nft(String.format(RULES, busiest.remote().getPort()));
            }
        }
    }

    private static void nft(String rules) throws IOException {
        Process nft = new ProcessBuilder("nft", "--file", "-").inheritIO()
                .redirectInput(ProcessBuilder.Redirect.PIPE).start();
        try (OutputStream in = nft.getOutputStream()) {
            in.write(rules.getBytes());
        }
        try {
            // Not onExit(): it needs a thread of the common pool, which has one on two processors.
            assertEquals(0, nft.waitFor());
        } catch (InterruptedException error) {
            throw new InterruptedIOException();
        }
    }

    private interface Part<T> {
        void move(SocketChannel socket, T other) throws Exception;
    }

    private static void run(Part<FileChannel> part, SocketChannel socket, FileChannel file) {
        try {
            part.move(socket, file);
            socket.shutdownOutput();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    /** A connection of two subflows. What arrives must be what the file contains. */
    private void transfer(Part<FileChannel> send, Part<Sink> receive) throws Exception {
        Path path = folder.resolve("data");
        byte[] data = new byte[SIZE];
        new Random(3).nextBytes(data);
        Files.write(path, data);
        try (ServerSocketChannel listener = listener();
                SocketChannel client =
                        Subflows.openChannel(
                                (InetSocketAddress) listener.getLocalAddress(),
                                ConnectOptions.controlled());
                SocketChannel server = listener.accept();
                FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            client.write(ByteBuffer.wrap(new byte[1]));
            assertEquals(1, server.read(ByteBuffer.allocate(1)));
            Subflows.open(client);
            CompletableFuture<Void> sending =
                    CompletableFuture.runAsync(() -> run(send, client, file));
            Sink sink = new Sink(server);
            receive.move(server, sink);
            sending.join();
            assertEquals(SIZE, sink.received);
            byte[] sum = MessageDigest.getInstance("SHA-256").digest(data);
            assertArrayEquals(sum, sink.digest.digest());
        } finally {
            nft("delete table inet cut\n");
        }
    }

    private static ServerSocketChannel listener() throws IOException {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        return Subflows.listen(any).getChannel();
    }

    private static void transferTo(SocketChannel socket, FileChannel file) throws IOException {
        long sent = 0;
        while (sent < SIZE) {
            sent += file.transferTo(sent, SIZE - sent, socket);
        }
    }

    @Test
    void transferToAndStreams() throws Exception {
        transfer(
                TransferTest::transferTo,
                (socket, sink) -> Channels.newInputStream(socket).transferTo(sink));
    }

    @Test
    void transferFrom() throws Exception {
        Path copy = folder.resolve("copy");
        transfer(
                TransferTest::transferTo,
                (socket, sink) -> {
                    try (FileChannel file =
                            FileChannel.open(
                                    copy,
                                    StandardOpenOption.CREATE_NEW,
                                    StandardOpenOption.READ,
                                    StandardOpenOption.WRITE)) {
                        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
                        long copied = 0;
                        while (copied < SIZE) {
                            long length = file.transferFrom(socket, copied, buffer.capacity());
                            buffer.clear().limit((int) length);
                            file.read(buffer, copied);
                            sink.write(buffer.array(), 0, (int) length);
                            copied += length;
                        }
                    }
                });
    }

    @Test
    void aSelectorAtBothEnds() throws Exception {
        transfer(
                (socket, file) -> {
                    ByteBuffer buffer = ByteBuffer.allocate(100_000);
                    try (Selector selector = ready(socket, SelectionKey.OP_WRITE)) {
                        while (file.read(buffer.clear()) > 0) {
                            buffer.flip();
                            while (buffer.hasRemaining()) {
                                selector.select();
                                selector.selectedKeys().clear();
                                socket.write(buffer);
                            }
                        }
                    }
                },
                (socket, sink) -> {
                    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
                    try (Selector selector = ready(socket, SelectionKey.OP_READ)) {
                        while (socket.read(buffer.clear()) >= 0) {
                            sink.write(buffer.array(), 0, buffer.position());
                            selector.select();
                            selector.selectedKeys().clear();
                        }
                    }
                });
    }

    private static Selector ready(SocketChannel socket, int operation) throws IOException {
        Selector selector = Selector.open();
        socket.configureBlocking(false);
        socket.register(selector, operation);
        return selector;
    }
}
