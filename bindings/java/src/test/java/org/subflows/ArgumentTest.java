package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketImpl;
import java.net.StandardProtocolFamily;
import java.nio.channels.NetworkChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each invalid argument is reported by an error of its own. */
class ArgumentTest {
    /** A socket that passes its calls on to another one, as pools and proxies make them. */
    static final class Wrapper extends Socket {
        private final Socket sock;

        Wrapper(Socket sock) {
            this.sock = sock;
        }

        Wrapper(SocketImpl none, Socket sock) throws IOException {
            super(none);
            this.sock = sock;
        }

        @Override
        public boolean getReuseAddress() throws SocketException {
            return sock.getReuseAddress();
        }

        @Override
        public boolean isClosed() {
            return sock.isClosed();
        }

        @Override
        public void close() throws IOException {
            sock.close();
        }
    }

    static final class ServerWrapper extends ServerSocket {
        private final ServerSocket sock;

        ServerWrapper(ServerSocket sock) throws IOException {
            this.sock = sock;
        }

        @Override
        public boolean getReuseAddress() throws SocketException {
            return sock.getReuseAddress();
        }

        @Override
        public boolean isClosed() {
            return sock.isClosed();
        }

        @Override
        public void close() throws IOException {
            sock.close();
        }
    }

    private static SubflowsException thrown(ErrorKind kind, Executable verb) {
        SubflowsException error = assertThrows(SubflowsException.class, verb);
        assertEquals(kind, error.kind(), error.getMessage());
        assertTrue(error.getMessage().endsWith(error.remedy()), error.getMessage());
        // The remedy of the kind names no value: it serves when nothing more is known.
        assertFalse(error.remedy().startsWith("See the documentation"), error.getMessage());
        return error;
    }

    /** A right argument of a type. */
    private static Object right(Class<?> type, Pair pair) throws IOException {
        if (type == Socket.class) {
            return pair.client;
        }
        if (type == ServerSocket.class) {
            return pair.listener;
        }
        if (type == NetworkChannel.class) {
            return pair.client.getChannel();
        }
        if (type == InetSocketAddress.class) {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        }
        Map<Class<?>, Object> others = Map.ofEntries(
                Map.entry(int.class, -1),
                Map.entry(long.class, 1L),
                Map.entry(boolean.class, true),
                Map.entry(String.class, "lo"),
                Map.entry(Duration.class, Duration.ZERO),
                Map.entry(InetAddress.class, InetAddress.getLoopbackAddress()),
                Map.entry(ProtocolFamily.class, StandardProtocolFamily.INET),
                Map.entry(SubflowOption.class, SubflowOption.MARK),
                Map.entry(OptionValue.class, OptionValue.of(1)),
                Map.entry(AddEndpointOptions.class, AddEndpointOptions.defaults()),
                Map.entry(AnnounceOptions.class, AnnounceOptions.defaults()),
                Map.entry(ConnectOptions.class, ConnectOptions.defaults()),
                Map.entry(ProbeOptions.class, ProbeOptions.defaults()),
                Map.entry(ConnectionsOptions.class, ConnectionsOptions.defaults()),
                Map.entry(DoctorOptions.class, DoctorOptions.defaults()),
                Map.entry(ListenOptions.class, ListenOptions.defaults()),
                Map.entry(OpenOptions.class, OpenOptions.defaults()));
        assertTrue(others.containsKey(type), type + " needs a right argument in this test");
        return others.get(type);
    }

    /** Every public method, of this object or this class, that takes arguments. */
    private static List<Method> taking(Class<?> owner, boolean isStatic) {
        return Arrays.stream(owner.getMethods())
                .filter(method -> method.getDeclaringClass() != Object.class
                        && !method.getName().equals("equals")
                        && method.getParameterCount() > 0
                        && Modifier.isStatic(method.getModifiers()) == isStatic)
                .collect(Collectors.toList());
    }

    private static String nullIn(Method method, Object owner, Object[] arguments) {
        try {
            method.invoke(owner, arguments);
        } catch (InvocationTargetException thrown) {
            return String.valueOf(thrown.getCause());
        } catch (IllegalAccessException impossible) {
            throw new AssertionError(impossible);
        }
        return "nothing";
    }

    /** Each error names the argument, and what to pass. The errors once had the bare name, or none. */
    @Test
    void everyNullIsReportedByItsName() throws Exception {
        int count = 0;
        Options[] options = {
            AddEndpointOptions.defaults(), AnnounceOptions.defaults(), ConnectOptions.defaults(),
            ConnectionsOptions.defaults(), DoctorOptions.defaults(),
            ListenOptions.defaults(), OpenOptions.defaults(), ProbeOptions.defaults()
        };
        try (Pair pair = Pair.controlled()) {
            List<Object> owners = new ArrayList<>(List.of(options));
            owners.addAll(List.of(Subflows.class, Opening.class, OptionValue.class, OpenOptions.class));
            for (Object owner : owners) {
                boolean isStatic = owner instanceof Class;
                for (Method method : taking(isStatic ? (Class<?>) owner : owner.getClass(), isStatic)) {
                    Class<?>[] types = method.getParameterTypes();
                    for (int wrong = 0; wrong < types.length; wrong++) {
                        if (types[wrong].isPrimitive()) {
                            continue;
                        }
                        Object[] arguments = new Object[types.length];
                        for (int index = 0; index < types.length; index++) {
                            boolean isArray = types[index].isArray();
                            arguments[index] = index == wrong || isArray ? null : right(types[index], pair);
                        }
                        String said = nullIn(method, isStatic ? null : owner, arguments);
                        String form = "java.lang.NullPointerException: [a-zA-Z]+ is null: pass .+";
                        assertTrue(said.matches(form), method + ": " + said);
                        count++;
                    }
                }
            }
            pair.movesData();
        }
        assertTrue(count > 80, count + " arguments");
    }

    /** Numbers that no option has. */
    @Test
    void everyNumberOutOfRangeIsReportedWithTheRange() {
        int count = 0;
        Options[] options = {
            AnnounceOptions.defaults(), ConnectOptions.defaults(), ListenOptions.defaults(),
            OpenOptions.defaults()
        };
        for (Options owner : options) {
            for (Method method : taking(owner.getClass(), false)) {
                if (method.getParameterTypes()[0] == int.class) {
                    String said = nullIn(method, owner, new Object[] {-1});
                    String form = "java.lang.IllegalArgumentException: [a-zA-Z]+ is -1: pass a number from 0 to [0-9]+";
                    assertTrue(said.matches(form), method + ": " + said);
                    count++;
                }
            }
        }
        assertEquals(4, count);
    }

    /** They were once reported as a bug in this library. */
    @Test
    void aSocketThatPassesItsCallsOnIsRefusedByName() throws IOException {
        try (Pair pair = Pair.controlled();
                Socket plain = new Socket()) {
            Socket[] all = {
                new Wrapper(pair.client), new Wrapper(null, pair.client), new Wrapper(plain)
            };
            String text = "this socket passes its calls on to another socket, and hides its descriptor";
            for (Socket sock : all) {
                Executable[] verbs = {
                    () -> Subflows.status(sock),
                    () -> Subflows.list(sock),
                    () -> Subflows.events(sock),
                    () -> Subflows.upgrade(sock),
                    () -> Subflows.takeControl(sock),
                    () -> Subflows.open(sock, OpenOptions.defaults())
                };
                for (Executable verb : verbs) {
                    SubflowsException error = thrown(ErrorKind.INVALID_ARGUMENT, verb);
                    assertTrue(error.getMessage().contains(text), error.getMessage());
                }
            }
            try (ServerSocket server = new ServerWrapper(pair.listener)) {
                SubflowsException error =
                        thrown(ErrorKind.INVALID_ARGUMENT, () -> Subflows.status(server));
                assertTrue(error.getMessage().contains(text), error.getMessage());
            }
            pair.movesData();
            all[0].close();
            thrown(ErrorKind.CLOSED, () -> Subflows.status(all[0]));
        }
    }

    /** Its own exception, about being closed by another thread, was once passed on. */
    @Test
    void aSocketThatIsClosedWhileItIsAskedIsClosed() throws IOException {
        try (Socket sock = new ClosedMeanwhile()) {
            thrown(ErrorKind.CLOSED, () -> Subflows.status(sock));
        }
    }

    private static final class ClosedMeanwhile extends Socket {
        private boolean isClosed;

        @Override
        public boolean getReuseAddress() throws SocketException {
            isClosed = true;
            throw new SocketException("Socket is closed");
        }

        @Override
        public boolean isClosed() {
            return isClosed;
        }
    }

    /** Some verbs once reported an error of the system, without a remedy. */
    @ParameterizedTest
    @ValueSource(ints = {-1, -2, Integer.MIN_VALUE, 99999, Integer.MAX_VALUE})
    void everyVerbReportsAnInvalidDescriptorAlike(int fd) throws Exception {
        Executable[] verbs = {
            () -> Subflows.status(fd),
            () -> Subflows.info(fd),
            () -> Subflows.list(fd),
            () -> Subflows.details(fd, 1),
            () -> Subflows.close(fd, 1),
            () -> Subflows.setBackup(fd, 1, true),
            () -> Subflows.addresses(fd),
            () -> Subflows.events(fd),
            () -> Subflows.open(fd, OpenOptions.defaults()),
            () -> Opening.begin(fd, OpenOptions.defaults()),
            () -> Subflows.announce(fd, InetAddress.getLoopbackAddress()),
            () -> Subflows.setOption(fd, 1, SubflowOption.MARK, OptionValue.of(1)),
            () -> Subflows.getOption(fd, 1, SubflowOption.MARK),
            () -> Subflows.options(fd, 1),
            () -> Subflows.setRawOption(fd, 1, 1, 36, OptionValue.of(new byte[4])),
            () -> Subflows.getRawOption(fd, 1, 1, 36, 4),
            () -> Subflows.peerAddresses(fd),
            () -> Subflows.takeControl(fd),
            () -> Subflows.upgrade(fd)
        };
        for (Executable verb : verbs) {
            SubflowsException error = thrown(ErrorKind.INVALID_ARGUMENT, verb);
            assertEquals(9, error.errno().getAsInt());
            assertEquals(
                    error.operation()
                            + ": this descriptor is not an open socket (Bad file number). "
                            + error.remedy(),
                    error.getMessage());
        }
    }

    /** They were once taken for subflow 0, which some connections have. */
    @ParameterizedTest
    @ValueSource(longs = {-1, 1L << 32, Long.MIN_VALUE, Long.MAX_VALUE})
    void anIdOutOfRangeIsReportedAsItWasPassed(long id) throws IOException {
        try (Pair pair = Pair.controlled()) {
            Executable[] verbs = {
                () -> Subflows.details(pair.client, id),
                () -> Subflows.close(pair.client, id),
                () -> Subflows.close(pair.client, id, true),
                () -> Subflows.setBackup(pair.client, id, true),
                () -> Subflows.setOption(pair.client, id, SubflowOption.MARK, OptionValue.of(1)),
                () -> Subflows.getOption(pair.client, id, SubflowOption.MARK),
                () -> Subflows.options(pair.client, id)
            };
            for (Executable verb : verbs) {
                SubflowsException error = thrown(ErrorKind.NO_SUCH_SUBFLOW, verb);
                String text = "this connection has no live subflow with id " + id + ". ";
                assertTrue(error.getMessage().contains(text), error.getMessage());
            }
            SubflowsException error =
                    thrown(ErrorKind.INVALID_ARGUMENT, () -> Subflows.connection(id));
            assertTrue(error.getMessage().contains("not " + id + ". "), error.getMessage());
            Executable[] raw = {
                () -> Subflows.getRawOption(pair.client, 1, id, 36, 4),
                () -> Subflows.getRawOption(pair.client, 1, 1, id, 4),
                () -> Subflows.getRawOption(pair.client, 1, 1, 36, id),
                () -> Subflows.setRawOption(pair.client, 1, id, 36, OptionValue.of(new byte[4])),
                () -> Subflows.setRawOption(pair.client, 1, 1, id, OptionValue.of(new byte[4]))
            };
            for (Executable verb : raw) {
                error = thrown(ErrorKind.INVALID_ARGUMENT, verb);
                assertTrue(error.getMessage().contains(" is " + id + ". Pass "), error.getMessage());
            }
        }
    }

    /** The most negative ones once threw an ArithmeticException. */
    @Test
    void everyDurationIsOne() throws Exception {
        Duration[] past = {
            Duration.ofSeconds(Long.MIN_VALUE),
            Duration.ofSeconds(Long.MIN_VALUE, 999_999_999),
            Duration.ofNanos(Long.MIN_VALUE),
            Duration.ofNanos(Long.MIN_VALUE).minusNanos(1),
            Duration.ofNanos(-1),
            Duration.ZERO
        };
        Duration[] future = {
            Duration.ofNanos(Long.MAX_VALUE),
            Duration.ofNanos(Long.MAX_VALUE).plusNanos(1),
            Duration.ofSeconds(Long.MAX_VALUE, 999_999_999)
        };
        try (Pair pair = Pair.controlled();
                Events events = Subflows.events(pair.client)) {
            for (Duration span : past) {
                assertEquals(Optional.empty(), events.poll(span));
            }
        }
        InetAddress second = InetAddress.getByName("127.0.0.2");
        for (Duration span : future) {
            try (Pair pair = new Pair("127.0.0.1", ConnectOptions.controlled().timeout(span));
                    Events events = Subflows.events(pair.client)) {
                Subflows.open(pair.client, OpenOptions.from(second).timeout(span));
                assertEquals(EventKind.SUBFLOW_ESTABLISHED, events.poll(span).get().kind());
            }
        }
        for (Duration span : past) {
            if (span.isNegative()) {
                assertThrows(
                        IllegalArgumentException.class, () -> OpenOptions.defaults().timeout(span));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> ConnectOptions.defaults().timeout(span));
            }
        }
    }

    /** A channel for Unix sockets once got an IPv6 socket. */
    @Test
    void aChannelOfAnotherFamilyIsRefused() {
        assertThrows(
                UnsupportedOperationException.class,
                () -> Subflows.socketChannel(StandardProtocolFamily.UNIX));
    }

    /** Refused before the kernel is asked, so that it needs no right. */
    @Test
    void anOptionThatGetsAWrongValueSaysWhichItAccepts() throws IOException {
        try (Pair pair = Pair.controlled()) {
            long id = Subflows.list(pair.client).get(0).id();
            OptionValue[] values = {
                OptionValue.of("many"), OptionValue.of(-1), OptionValue.of(true), OptionValue.of(1L << 32)
            };
            for (OptionValue value : values) {
                Executable verb = () -> Subflows.setOption(pair.client, id, SubflowOption.MARK, value);
                SubflowsException error = thrown(ErrorKind.INVALID_ARGUMENT, verb);
                assertTrue(error.remedy().contains("a number from 0 to 4294967295"), error.remedy());
            }
            pair.movesData();
        }
    }
}
