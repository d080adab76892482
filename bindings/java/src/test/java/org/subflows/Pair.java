package org.subflows;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Both ends of a connection over loopback, and the listener that accepted it. */
final class Pair implements AutoCloseable {
    final ServerSocket listener;
    final Socket client;
    final Socket server;

    Pair(String host, ConnectOptions options) throws IOException {
        listener = Subflows.listen(new InetSocketAddress(host, 0));
        client =
                Subflows.connect(
                        new InetSocketAddress(host, listener.getLocalPort()), options);
        server = listener.accept();
        movesData();
    }

    static Pair controlled() throws IOException {
        return new Pair("127.0.0.1", ConnectOptions.controlled());
    }

    /** Sends a byte each way: the connection works, and accepts further subflows. */
    void movesData() throws IOException {
        move(client, server);
        move(server, client);
    }

    static void move(Socket from, Socket to) throws IOException {
        to.setSoTimeout(10_000);
        from.getOutputStream().write('x');
        if (to.getInputStream().read() != 'x') {
            throw new AssertionError("another byte than was sent");
        }
    }

    @Override
    public void close() throws IOException {
        client.close();
        server.close();
        listener.close();
    }
}
