package org.subflows.benches;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.subflows.ConnectOptions;
import org.subflows.OpenOptions;
import org.subflows.Subflows;
import org.subflows.SubflowsException;

/** Controlled connections of two subflows each, over loopback. */
@State(Scope.Benchmark)
public class Connected {
    /** The JDK's plain socket, and the number of its descriptor. */
    Socket socket;

    int number;

    SocketChannel channel;

    private final List<AutoCloseable> others = new ArrayList<>();

    @Setup(Level.Trial)
    public void connect() throws IOException {
        ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0));
        others.add(listener);
        InetSocketAddress address = new InetSocketAddress("127.0.0.1", listener.getLocalPort());
        socket = Subflows.socket();
        Subflows.takeControl(socket);
        socket.connect(address);
        openSecond(socket, listener.accept());
        channel = Subflows.openChannel(address, ConnectOptions.controlled());
        openSecond(channel.socket(), listener.accept());
        number = numberOf(socket);
    }

    private void openSecond(Socket client, Socket server) throws IOException {
        others.add(server);
        move(client, server);
        move(server, client);
        Subflows.open(client, OpenOptions.from(InetAddress.getByName("127.0.0.2")));
        if (Subflows.list(client).size() != 2) {
            throw new AssertionError("the connection has not two subflows");
        }
    }

    private static void move(Socket from, Socket to) throws IOException {
        from.getOutputStream().write('x');
        if (to.getInputStream().read() != 'x') {
            throw new AssertionError("another byte than was sent");
        }
    }

    /** The JDK does not reveal it: this finds the descriptor of this process with the same token. */
    private static int numberOf(Socket sock) throws IOException {
        long token = Subflows.info(sock).token();
        Path folder = Path.of("/proc/self/fd");
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(folder)) {
            for (Path descriptor : descriptors) {
                int number = Integer.parseInt(descriptor.getFileName().toString());
                if (isThat(number, token)) {
                    return number;
                }
            }
        }
        throw new AssertionError("no descriptor has the token " + Long.toHexString(token));
    }

    private static boolean isThat(int number, long token) {
        try {
            return Subflows.info(number).token() == token;
        } catch (SubflowsException noConnection) {
            return false;
        }
    }

    @TearDown(Level.Trial)
    public void close() throws Exception {
        socket.close();
        channel.close();
        for (AutoCloseable other : others) {
            other.close();
        }
    }
}
