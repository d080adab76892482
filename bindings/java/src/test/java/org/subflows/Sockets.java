package org.subflows;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.Future;

/**
 * Makes one connection with each kind of socket of the JDK's, and prints the state of both ends. The
 * second argument is the number of subflows to which the client's ends must grow. With a further
 * argument it prints that it is ready, and begins when its input ends. It never exits before its input ends.
 */
final class Sockets {
    private static InetAddress host;

    private Sockets() {}

    public static void main(String[] arguments) throws Exception {
        host = InetAddress.getByName(arguments[0]);
        int paths = Integer.parseInt(arguments[1]);
        if (arguments.length > 2) {
            System.out.println("ready");
            System.in.read();
        }
        System.out.print(plain(paths) + ' ' + channels() + ' ' + asynchronous() + ' ' + datagrams());
        System.in.read();
    }

    private static String plain(int paths) throws IOException {
        try (ServerSocket listener = new ServerSocket(0, 1, host);
                Socket client = new Socket(host, listener.getLocalPort());
                Socket server = listener.accept()) {
            server.getOutputStream().write('!');
            client.getInputStream().read();
            long deadline = System.nanoTime() + 10_000_000_000L;
            while (Subflows.list(client).size() != paths) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("its paths: " + Subflows.list(client));
                }
                Thread.onSpinWait();
            }
            return Subflows.status(client).state() + "," + Subflows.status(server).state();
        }
    }

    private static String channels() throws IOException {
        try (ServerSocketChannel listener = ServerSocketChannel.open()) {
            listener.bind(new InetSocketAddress(host, 0));
            try (SocketChannel client = SocketChannel.open(listener.getLocalAddress());
                    SocketChannel server = listener.accept()) {
                // The JDK sets this option on its listeners.
                return listener.getOption(StandardSocketOptions.SO_REUSEADDR)
                        + ","
                        + Subflows.status(client).state()
                        + ","
                        + Subflows.status(server).state();
            }
        }
    }

    private static String asynchronous() throws Exception {
        try (AsynchronousServerSocketChannel listener = AsynchronousServerSocketChannel.open();
                AsynchronousSocketChannel client = AsynchronousSocketChannel.open()) {
            listener.bind(new InetSocketAddress(host, 0));
            Future<AsynchronousSocketChannel> accepted = listener.accept();
            client.connect(listener.getLocalAddress()).get();
            try (AsynchronousSocketChannel server = accepted.get()) {
                server.write(ByteBuffer.wrap(new byte[] {'!'})).get();
                client.read(ByteBuffer.allocate(1)).get();
                return Subflows.status(client).state() + "," + Subflows.status(server).state();
            }
        }
    }

    private static String datagrams() throws IOException {
        try (DatagramSocket to = new DatagramSocket(0, host);
                DatagramSocket from = new DatagramSocket()) {
            from.send(new DatagramPacket("as ever".getBytes(), 7, to.getLocalSocketAddress()));
            DatagramPacket packet = new DatagramPacket(new byte[7], 7);
            to.receive(packet);
            return new String(packet.getData());
        }
    }
}
