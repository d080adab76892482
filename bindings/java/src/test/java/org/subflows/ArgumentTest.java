package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketImpl;
import java.net.StandardProtocolFamily;
import java.time.Duration;
import java.util.Optional;
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
        return error;
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
                () -> Subflows.setBackup(pair.client, id, true)
            };
            for (Executable verb : verbs) {
                SubflowsException error = thrown(ErrorKind.NO_SUCH_SUBFLOW, verb);
                String text = "this connection has no live subflow with id " + id + ". ";
                assertTrue(error.getMessage().contains(text), error.getMessage());
            }
            SubflowsException error =
                    thrown(ErrorKind.INVALID_ARGUMENT, () -> Subflows.connection(id));
            assertTrue(error.getMessage().contains("not " + id + ". "), error.getMessage());
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
