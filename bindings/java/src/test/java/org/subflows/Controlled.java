package org.subflows;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.SocketChannel;

/** Makes a socket in each possible way, connects it, and prints who manages its paths. */
final class Controlled {
    private static InetSocketAddress server;

    private Controlled() {}

    public static void main(String[] arguments) throws IOException {
        InetAddress host = InetAddress.getLoopbackAddress();
        try (ServerSocket listener = new ServerSocket(0, 8, host)) {
            server = new InetSocketAddress(host, listener.getLocalPort());
            Socket upgraded = new Socket();
            Subflows.upgrade(upgraded);
            SocketChannel channel = SocketChannel.open();
            Subflows.upgrade(channel);
            System.out.print(
                    manager(upgraded)
                            + " "
                            + manager(channel.socket())
                            + " "
                            + manager(Subflows.socket())
                            + " "
                            + manager(Subflows.socketChannel().socket())
                            + " "
                            + manager(new MptcpSocketFactory().createSocket()));
        }
    }

    private static PathManager manager(Socket sock) throws IOException {
        sock.connect(server);
        return Subflows.status(sock).pathManager();
    }
}
