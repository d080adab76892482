package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketOption;
import java.net.StandardSocketOptions;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A Multipath TCP socket answers the options of the JDK's as a TCP socket does. */
class OptionsTest {
    /** The kernel chooses their values, which differ from socket to socket. */
    private static final Set<SocketOption<?>> SIZES =
            Set.of(StandardSocketOptions.SO_SNDBUF, StandardSocketOptions.SO_RCVBUF);

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void everyOptionInEveryStateAsForTcp(String host) throws Exception {
        InetAddress address = InetAddress.getByName(host);
        assertEquals(answers(address, false), answers(address, true));
    }

    /** What each option answers on a socket that is new, a listener, connected and accepted. */
    private static List<String> answers(InetAddress host, boolean isMptcp) throws IOException {
        List<String> answers = new ArrayList<>();
        try (ServerSocketChannel listener = ServerSocketChannel.open();
                SocketChannel unconnected = SocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            if (isMptcp) {
                for (NetworkChannel channel : List.of(listener, unconnected, client)) {
                    Subflows.upgrade(channel);
                }
            }
            listener.bind(new InetSocketAddress(host, 0));
            client.connect(listener.getLocalAddress());
            try (SocketChannel accepted = listener.accept()) {
                assertEquals(isMptcp, Subflows.status(accepted).state() == State.MPTCP);
                answers.addAll(answers("new", unconnected));
                answers.addAll(answers("listening", listener));
                answers.addAll(answers("connected", client));
                answers.addAll(answers("accepted", accepted));
            }
        }
        return answers;
    }

    private static List<String> answers(String state, NetworkChannel channel) {
        List<SocketOption<?>> options = new ArrayList<>(channel.supportedOptions());
        // It differs on purpose: see anOptionThatMattersFailsAndIsLoggedOnce.
        options.removeIf(option -> option.name().equals("SO_OOBINLINE"));
        options.sort(Comparator.comparing(SocketOption::name));
        List<String> answers = new ArrayList<>();
        for (SocketOption<?> option : options) {
            StringBuilder answer = new StringBuilder(state + " " + option.name() + ":");
            answer.append(SIZES.contains(option) ? "" : value(channel, option));
            if (option.type() == Boolean.class) {
                answer.append(set(channel, option, true)).append(set(channel, option, false));
            } else if (option.type() == Integer.class) {
                answer.append(set(channel, option, 40)).append(set(channel, option, 8));
            }
            answers.add(answer.toString());
        }
        return answers;
    }

    @SuppressWarnings("unchecked")
    private static String set(NetworkChannel channel, SocketOption<?> option, Object value) {
        try {
            channel.setOption((SocketOption<Object>) option, value);
            return value(channel, option);
        } catch (IOException | RuntimeException error) {
            return " " + error.getClass().getName();
        }
    }

    private static String value(NetworkChannel channel, SocketOption<?> option) {
        try {
            return " " + channel.getOption(option);
        } catch (IOException | RuntimeException error) {
            return " " + error.getClass().getName();
        }
    }

    /** Servers once reset every Multipath TCP client because one of these failed. */
    @Test
    void whatServersSetOnAcceptedSockets() throws Exception {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0));
                Socket client = Subflows.connect((InetSocketAddress) listener.getLocalSocketAddress());
                Socket accepted = listener.accept()) {
            for (Socket sock : List.of(client, accepted)) {
                assertEquals(State.MPTCP, Subflows.status(sock).state());
                sock.setOOBInline(false);
                assertFalse(sock.getOOBInline());
                sock.setReuseAddress(true);
                assertTrue(sock.getReuseAddress());
                sock.setReuseAddress(false);
                sock.setOption(StandardSocketOptions.SO_REUSEPORT, true);
                assertTrue(sock.getOption(StandardSocketOptions.SO_REUSEPORT));
                sock.setTrafficClass(0x28);
                assertEquals(0x28, sock.getTrafficClass());
                sock.setOption(ExtendedSocketOptions.TCP_QUICKACK, false);
                assertFalse(sock.getOption(ExtendedSocketOptions.TCP_QUICKACK));
                sock.setKeepAlive(true);
                sock.setSoLinger(true, 1);
                sock.setTcpNoDelay(true);
            }
        }
    }

    /** The number of a closed socket belongs to the next one. */
    @Test
    void aValueIsNotRememberedForTheNextSocket() throws Exception {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0))) {
            InetSocketAddress address = (InetSocketAddress) listener.getLocalSocketAddress();
            for (int round = 0; round < 3; round++) {
                try (Socket client = Subflows.connect(address)) {
                    assertTrue(client.getOption(ExtendedSocketOptions.TCP_QUICKACK));
                    client.setOption(ExtendedSocketOptions.TCP_QUICKACK, false);
                    assertFalse(client.getOption(ExtendedSocketOptions.TCP_QUICKACK));
                }
            }
        }
    }

    /** A connection that has fallen back to TCP would lose the urgent data. */
    @Test
    void anOptionThatMattersFailsAndIsLoggedOnce() throws Exception {
        // Once in a JVM, so other tests may not have done it before.
        String said = Jvm.said(List.of(), SetsTwice.class.getName());
        assertEquals(2, said.split("SO_OOBINLINE cannot be set to 1", -1).length, said);
    }

    static final class SetsTwice {
        private SetsTwice() {}

        public static void main(String[] none) throws Exception {
            try (ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0));
                    Socket client =
                            Subflows.connect((InetSocketAddress) listener.getLocalSocketAddress())) {
                assertThrows(SocketException.class, () -> client.setOOBInline(true));
                assertThrows(SocketException.class, () -> client.setOOBInline(true));
                assertFalse(client.getOOBInline());
            }
        }
    }
}
