package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code available} returns what TCP would: the kernel reports one byte too many at the end. */
class AvailableTest {
    /** The two ends of a connection, Multipath TCP or TCP. */
    private interface Ends {
        void play(Socket client, Socket server) throws IOException;
    }

    private static void connected(boolean multipath, Ends ends) throws IOException {
        if (multipath) {
            try (Pair pair = Pair.controlled()) {
                ends.play(pair.client, pair.server);
            }
            return;
        }
        try (ServerSocket listener = new ServerSocket()) {
            listener.bind(new InetSocketAddress("127.0.0.1", 0));
            try (Socket client = new Socket("127.0.0.1", listener.getLocalPort());
                    Socket server = listener.accept()) {
                ends.play(client, server);
            }
        }
    }

    private static void await(InputStream input, int available) throws IOException {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (input.available() != available && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        assertEquals(available, input.available());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nothingIsAtTheEnd(boolean multipath) throws IOException {
        connected(
                multipath,
                (client, server) -> {
                    InputStream input = client.getInputStream();
                    assertEquals(0, input.available());
                    server.getOutputStream().write(new byte[3]);
                    await(input, 3);
                    input.readNBytes(2);
                    assertEquals(1, input.available());
                    server.shutdownOutput();
                    await(input, 1);
                    assertEquals(0, input.read());
                    // After this read, the end has arrived for certain.
                    assertEquals(-1, input.read());
                    assertEquals(0, input.available());
                });
    }

    /** The byte is left, and the reset is reported after it. */
    @Test
    void aByteIsLeftAfterAReset() throws IOException {
        connected(
                true,
                (client, server) -> {
                    client.getOutputStream().write('x');
                    await(server.getInputStream(), 1);
                    server.getOutputStream().write('y');
                    InputStream input = client.getInputStream();
                    await(input, 1);
                    server.close();
                    long deadline = System.nanoTime() + 30_000_000_000L;
                    while (Subflows.status(client).state() == State.MPTCP) {
                        assertTrue(System.nanoTime() < deadline);
                    }
                    assertEquals(1, input.available());
                    assertEquals('y', input.read());
                    assertEquals(0, input.available());
                    assertThrows(SocketException.class, input::read);
                });
    }

    @Test
    void aResetIsStillReported() throws IOException {
        connected(
                true,
                (client, server) -> {
                    client.getOutputStream().write('x');
                    await(server.getInputStream(), 1);
                    // With unread data, closing resets the connection.
                    server.close();
                    long deadline = System.nanoTime() + 10_000_000_000L;
                    while (Subflows.status(client).state() == State.MPTCP) {
                        assertTrue(System.nanoTime() < deadline);
                    }
                    InputStream input = client.getInputStream();
                    assertEquals(0, input.available());
                    assertThrows(SocketException.class, input::read);
                });
    }
}
