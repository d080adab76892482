package org.subflows;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * An application whose connections get a second path from the agent. It does one of three things:
 *
 * <ul>
 *   <li>{@code burst COUNT} makes as many connections at once, and prints when all are made. Then it
 *       prints how many have their second path, after how many milliseconds and how many milliseconds
 *       of CPU time, and how much CPU time it took from then until its input ends.
 *   <li>{@code close} closes a connection whose second path is being opened, and prints after how many
 *       milliseconds the server sees that.
 *   <li>{@code refuse} lets the server refuse the second path once, and prints as {@code burst 1}.
 * </ul>
 */
final class Paths {
    private static final InetAddress HOST = InetAddress.getLoopbackAddress();
    private static final long PATIENCE = 30_000_000_000L;

    private Paths() {}

    public static void main(String[] arguments) throws IOException {
        switch (arguments[0]) {
            case "burst":
                burst(Integer.parseInt(arguments[1]));
                break;
            case "close":
                System.out.println(close());
                break;
            default:
                refuse();
        }
    }

    private static void burst(int count) throws IOException {
        List<Socket> clients = new ArrayList<>();
        List<Socket> servers = new ArrayList<>();
        long before = cpuOfOthers();
        try (ServerSocket listener = new ServerSocket(0, count, HOST)) {
            for (int i = 0; i < count; i++) {
                clients.add(new Socket(HOST, listener.getLocalPort()));
                servers.add(listener.accept());
            }
            // Now all of them accept further subflows.
            for (Socket server : servers) {
                server.getOutputStream().write('!');
            }
            System.out.println("made");
            report(clients, before);
        }
    }

    private static void refuse() throws IOException {
        long before = cpuOfOthers();
        Socket client;
        Socket server;
        try (ServerSocket listener = new ServerSocket(0, 1, HOST)) {
            client = new Socket(HOST, listener.getLocalPort());
            server = listener.accept();
        }
        try (Events events = Subflows.events(client)) {
            server.getOutputStream().write('!');
            EventKind kind = EventKind.UNKNOWN;
            while (kind != EventKind.SUBFLOW_CLOSED) {
                kind = events.poll(Duration.ofNanos(PATIENCE)).orElseThrow().kind();
            }
        }
        try (ServerSocket again = new ServerSocket()) {
            again.bind(client.getRemoteSocketAddress());
            report(List.of(client), before);
        }
    }

    private static void report(List<Socket> clients, long before) throws IOException {
        long start = System.nanoTime();
        int having = 0;
        for (Socket client : clients) {
            client.getInputStream().read();
            boolean has = hasTwo(client);
            while (!has && System.nanoTime() - start < PATIENCE) {
                has = hasTwo(client);
            }
            having += has ? 1 : 0;
        }
        System.out.println(having + " " + millis(start) + " " + (cpuOfOthers() - before));
        long after = cpuOfOthers();
        System.in.read();
        System.out.println(cpuOfOthers() - after);
    }

    /** Uses a blocking channel: when it is closed, the JDK itself does not shut the connection down. */
    private static long close() throws IOException {
        try (ServerSocket listener = new ServerSocket(0, 1, HOST)) {
            SocketChannel client = SocketChannel.open(listener.getLocalSocketAddress());
            Socket server = listener.accept();
            server.getOutputStream().write('!');
            client.read(ByteBuffer.allocate(1));
            long start = System.nanoTime();
            while (Subflows.list(client).size() < 2 && System.nanoTime() - start < PATIENCE) {
                Thread.onSpinWait();
            }
            start = System.nanoTime();
            client.close();
            if (server.getInputStream().read() >= 0) {
                throw new AssertionError("there is nothing to read");
            }
            return millis(start);
        }
    }

    private static boolean hasTwo(Socket client) throws IOException {
        return Subflows.list(client).stream()
                        .filter(path -> path.state() == SubflowState.ESTABLISHED)
                        .count()
                > 1;
    }

    private static long millis(long since) {
        return (System.nanoTime() - since) / 1_000_000;
    }

    /** The CPU time of all threads but this one, in milliseconds. */
    private static long cpuOfOthers() {
        OperatingSystemMXBean system =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long ours = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        return (system.getProcessCpuTime() - ours) / 1_000_000;
    }
}
