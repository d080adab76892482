package org.subflows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The descriptor of every type of socket is found, and every operation works on it. */
class SocketTest {
    /** The operations on one socket, by the overloads for its type. */
    interface Verbs {
        Status status() throws IOException;

        Info info() throws IOException;

        List<Subflow> list() throws IOException;

        Details details(long id) throws IOException;

        Subflow open(OpenOptions options) throws IOException;

        void setBackup(long id, boolean backup) throws IOException;

        void setOption(long id, SubflowOption option, OptionValue value) throws IOException;

        OptionValue getOption(long id, SubflowOption option) throws IOException;

        void setRawOption(long id, long level, long number, OptionValue value) throws IOException;

        OptionValue getRawOption(long id, long level, long number, long length) throws IOException;

        OptionValues options(long id) throws IOException;

        List<Address> addresses() throws IOException;

        Announced announce(InetAddress address, AnnounceOptions options) throws IOException;

        Events events() throws IOException;

        void close(long id) throws IOException;
    }

    /** Calls all of them, on one end of a controlled connection. */
    private static void play(Verbs verbs) throws IOException {
        Status status = verbs.status();
        assertEquals(State.MPTCP, status.state());
        assertEquals(PathManager.USERSPACE, status.pathManager());
        assertEquals(status.token().getAsLong(), verbs.info().token());
        InetAddress second = InetAddress.getByName("127.0.0.2");
        try (Events events = verbs.events()) {
            Subflow extra = verbs.open(OpenOptions.from(second).backup());
            assertEquals(second, extra.local().getAddress());
            assertEquals(2, verbs.list().size());
            assertEquals(extra.id(), verbs.list().get(1).id());
            assertTrue(verbs.details(extra.id()).isBackup());
            verbs.setBackup(extra.id(), false);
            assertFalse(verbs.details(extra.id()).isBackup());
            playOptions(verbs, extra.id());
            assertTrue(verbs.addresses().stream().anyMatch(known -> known.ip().equals(second)));
            verbs.close(extra.id());
            assertEquals(1, verbs.list().size());
            EventKind kind;
            do {
                kind = events.poll(Duration.ofSeconds(10)).get().kind();
            } while (kind != EventKind.SUBFLOW_CLOSED);
        }
        InetAddress third = InetAddress.getByName("127.0.0.3");
        try (Announced announced = verbs.announce(third, AnnounceOptions.atPort(0))) {
            assertEquals(third, announced.address().getAddress());
            assertNotEquals(0, announced.address().getPort());
            assertNotEquals(0, announced.id());
            assertEquals(0, announced.turnAway());
        }
    }

    private static void playOptions(Verbs verbs, long id) throws IOException {
        assertTrue(verbs.options(id).congestionControl().isPresent());
        OptionValue congestionControl = verbs.getOption(id, SubflowOption.CONGESTION_CONTROL);
        assertEquals(congestionControl.toString(), verbs.options(id).congestionControl().get());
        boolean isAvailable =
                Subflows.capabilities().stream()
                        .anyMatch(row -> row.name().equals("options") && row.isAvailable());
        if (!isAvailable) {
            return;
        }
        verbs.setOption(id, SubflowOption.CONGESTION_CONTROL, congestionControl);
        verbs.setOption(id, SubflowOption.MARK, OptionValue.of(42));
        assertEquals(42, verbs.getOption(id, SubflowOption.MARK).number());
        assertEquals(42, verbs.options(id).mark().getAsLong());
        verbs.setOption(id, SubflowOption.KEEPALIVE, OptionValue.of(true));
        assertTrue(verbs.getOption(id, SubflowOption.KEEPALIVE).isOn());
        // SO_PRIORITY at SOL_SOCKET.
        byte[] three = ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt(3).array();
        verbs.setRawOption(id, 1, 12, OptionValue.of(three));
        assertArrayEquals(three, verbs.getRawOption(id, 1, 12, 4).bytes());
    }

    /** The overloads of {@link Subflows} for sockets of that type, called by their names. */
    private static <T> Verbs of(Class<T> type, T sock) {
        InvocationHandler call =
                (proxy, verb, arguments) -> {
                    List<Class<?>> types = new ArrayList<>(List.of(type));
                    types.addAll(List.of(verb.getParameterTypes()));
                    List<Object> all = new ArrayList<>(List.of(sock));
                    all.addAll(List.of(arguments == null ? new Object[0] : arguments));
                    return Subflows.class
                            .getMethod(verb.getName(), types.toArray(new Class<?>[0]))
                            .invoke(null, all.toArray());
                };
        Class<?>[] verbs = {Verbs.class};
        return (Verbs) Proxy.newProxyInstance(Verbs.class.getClassLoader(), verbs, call);
    }

    @Test
    void aConnectedSocket() throws IOException {
        try (Pair pair = Pair.controlled()) {
            play(of(Socket.class, pair.client));
            pair.movesData();
        }
    }

    @Test
    void aChannel() throws IOException {
        try (Pair pair = Pair.controlled()) {
            play(of(NetworkChannel.class, pair.client.getChannel()));
        }
    }

    @Test
    void aPlainSocketThatWasUpgraded() throws IOException {
        try (ServerSocket listener = new ServerSocket();
                Socket client = Subflows.socket()) {
            Subflows.upgrade(listener);
            assertEquals(State.UNCONNECTED, Subflows.status(listener).state());
            listener.bind(new InetSocketAddress("127.0.0.1", 0));
            assertEquals(State.LISTENING, Subflows.status(listener).state());
            Subflows.takeControl(client);
            client.connect(listener.getLocalSocketAddress());
            try (Socket server = listener.accept()) {
                Pair.move(client, server);
                Pair.move(server, client);
                assertEquals(State.MPTCP, Subflows.status(server).state());
                play(of(Socket.class, client));
            }
        }
    }

    /** A socket that was not used yet: there are no options to carry over. */
    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void anUntouchedSocketThatWasUpgraded(String host) throws IOException {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress(host, 0));
                Socket client = new Socket()) {
            Subflows.upgrade(client);
            assertEquals(State.UNCONNECTED, Subflows.status(client).state());
            client.connect(new InetSocketAddress(host, listener.getLocalPort()));
            try (Socket server = listener.accept()) {
                Pair.move(client, server);
                assertEquals(State.MPTCP, Subflows.status(client).state());
            }
        }
    }

    @Test
    void whatWasSetBeforeAnUpgradeIsKept() throws IOException {
        try (Socket plain = new Socket();
                SocketChannel channel = SocketChannel.open()) {
            for (Socket sock : List.of(plain, channel.socket())) {
                sock.setKeepAlive(true);
                Subflows.upgrade(sock);
                assertEquals(State.UNCONNECTED, Subflows.status(sock).state());
                assertTrue(sock.getKeepAlive());
            }
        }
    }

    @Test
    void aClosedSocketIsNotUpgraded() throws IOException {
        Socket closed = new Socket();
        closed.close();
        SubflowsException error =
                assertThrows(SubflowsException.class, () -> Subflows.upgrade(closed));
        assertEquals(ErrorKind.CLOSED, error.kind());
    }

    @Test
    void channelsThatWereUpgraded() throws IOException {
        try (ServerSocketChannel listener = ServerSocketChannel.open();
                SocketChannel client = Subflows.socketChannel();
                AsynchronousSocketChannel other = AsynchronousSocketChannel.open()) {
            Subflows.upgrade(listener);
            listener.bind(new InetSocketAddress("127.0.0.1", 0));
            assertEquals(State.LISTENING, Subflows.status(listener).state());
            client.connect(listener.getLocalAddress());
            try (SocketChannel server = listener.accept()) {
                assertEquals(State.MPTCP, Subflows.status(server).state());
                assertEquals(1, Subflows.list(client).size());
            }
            Subflows.upgrade(other);
            assertEquals(State.UNCONNECTED, Subflows.status(other).state());
        }
    }

    @Test
    void whatTlsWasPutOver() throws IOException {
        try (Pair pair = Pair.controlled();
                ServerSocket listener = new ServerSocket();
                Socket plain = Subflows.socket()) {
            SSLSocketFactory tls = (SSLSocketFactory) SSLSocketFactory.getDefault();
            try (SSLSocket layered =
                    (SSLSocket) tls.createSocket(pair.client, "localhost", 443, false)) {
                assertEquals(Subflows.status(pair.client), Subflows.status(layered));
            }
            Subflows.upgrade(listener);
            listener.bind(new InetSocketAddress("127.0.0.1", 0));
            plain.connect(listener.getLocalSocketAddress());
            try (SSLSocket layered =
                    (SSLSocket) tls.createSocket(plain, "localhost", 443, false)) {
                assertEquals(Subflows.status(plain).token(), Subflows.status(layered).token());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void bothFamilies(String host) throws IOException {
        try (Pair pair = new Pair(host, ConnectOptions.defaults())) {
            InetAddress address = InetAddress.getByName(host);
            assertEquals(address, Subflows.list(pair.client).get(0).remote().getAddress());
            assertEquals(pair.client.getLocalSocketAddress(), Subflows.list(pair.client).get(0).local());
            assertEquals(PathManager.KERNEL, Subflows.status(pair.server).pathManager());
        }
    }

    /** `net.ipv6.bindv6only` once made sockets that could not connect to IPv4 hosts. */
    @Test
    void ipv4HostsWhereSocketsOfIpv6SpeakNoIpv4() throws IOException {
        Path setting = Path.of("/proc/sys/net/ipv6/bindv6only");
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0))) {
            Files.writeString(setting, "1");
            try (Socket client = Subflows.socket();
                    SocketChannel channel = Subflows.socketChannel()) {
                client.connect(listener.getLocalSocketAddress());
                channel.connect(listener.getLocalSocketAddress());
                assertEquals(State.MPTCP, Subflows.status(client).state());
                assertEquals(State.MPTCP, Subflows.status(channel).state());
            } finally {
                Files.writeString(setting, "0");
            }
        }
    }

    @Test
    void connectionsOfTheNamespace() throws IOException {
        try (Pair pair = Pair.controlled()) {
            long token = Subflows.info(pair.client).token();
            assertEquals(token, Subflows.connection(token).token());
            List<Connection> all = Subflows.connections(ConnectionsOptions.withSubflows());
            Connection ours =
                    all.stream().filter(one -> one.token() == token).findFirst().orElseThrow();
            assertEquals(1, ours.subflows().size());
            assertEquals("1", String.valueOf(ours.info().subflows().getAsLong()));
            assertTrue(ours.subflows().get(0).congestionControl().isPresent());
            assertFalse(Subflows.capabilities().isEmpty());
        }
    }

    @Test
    void closedSocketsSayThatTheyAre() throws IOException {
        Pair pair = Pair.controlled();
        SocketChannel channel = pair.client.getChannel();
        ServerSocket plain = new ServerSocket(0);
        Socket fresh = new Socket();
        pair.close();
        plain.close();
        fresh.close();
        assertClosed(() -> Subflows.status(pair.client));
        assertClosed(() -> Subflows.list(channel));
        assertClosed(() -> Subflows.close(channel, 1));
        assertClosed(() -> Subflows.status(pair.listener));
        assertClosed(() -> Subflows.status(plain));
        assertClosed(() -> Subflows.status(fresh));
    }

    private static void assertClosed(org.junit.jupiter.api.function.Executable verb) {
        assertEquals(
                ErrorKind.CLOSED, assertThrows(SubflowsException.class, verb).kind());
    }

    @Test
    void errorsHaveARemedy() throws IOException {
        try (Pair pair = new Pair("127.0.0.1", ConnectOptions.defaults())) {
            SubflowsException error =
                    assertThrows(
                            SubflowsException.class,
                            () -> Subflows.open(pair.client, OpenOptions.via("lo")));
            assertEquals(ErrorKind.NOT_CONTROLLED, error.kind());
            assertEquals("open", error.operation());
            assertTrue(error.getMessage().endsWith(error.remedy()), error.getMessage());
            error = assertThrows(SubflowsException.class, () -> Subflows.details(pair.client, 77));
            assertEquals(ErrorKind.NO_SUCH_SUBFLOW, error.kind());
        }
    }

    @Test
    void argumentsAreChecked() throws IOException {
        OpenOptions open = OpenOptions.defaults();
        assertThrows(NullPointerException.class, () -> Subflows.status((Socket) null));
        assertThrows(NullPointerException.class, () -> open.local(null));
        assertThrows(IllegalArgumentException.class, () -> open.localPort(65536));
        assertThrows(IllegalArgumentException.class, () -> open.timeout(Duration.ofNanos(-1)));
        InetSocketAddress unresolved = InetSocketAddress.createUnresolved("localhost", 1);
        assertThrows(IllegalArgumentException.class, () -> open.remote(unresolved));
        assertEquals(open, OpenOptions.defaults());
        assertEquals(
                "OpenOptions{networkInterface=wwan0, localPort=0, backup=true, timeout=PT5S,"
                        + " unbound=false}",
                OpenOptions.via("wwan0").backup().toString());
    }
}
