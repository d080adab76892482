package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A wildcard address means the same as for the JDK's own sockets. */
class WildcardTest {
    /** The JDK's wildcard is an IPv4 address: IPv6 clients were once refused. */
    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void aListenerAtAWildcardAcceptsBothFamilies(String host) throws IOException {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress(0));
                Socket client =
                        Subflows.connect(new InetSocketAddress(host, listener.getLocalPort()));
                Socket server = listener.accept()) {
            Pair.move(client, server);
            assertEquals(State.MPTCP, Subflows.status(server).state());
        }
    }

    @Test
    void aListenerOfIpv6AloneLeavesIpv4Alone() throws IOException {
        ListenOptions alone = ListenOptions.defaults().onlyV6();
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress(0), alone)) {
            int port = listener.getLocalPort();
            Subflows.connect(new InetSocketAddress("::1", port)).close();
            InetSocketAddress v4 = new InetSocketAddress("127.0.0.1", port);
            SubflowsException error =
                    assertThrows(SubflowsException.class, () -> Subflows.connect(v4));
            assertEquals(ErrorKind.REFUSED, error.kind());
        }
    }

    /** Connecting once failed if the wildcard was of the other family. */
    @ParameterizedTest
    @CsvSource({"0.0.0.0, 127.0.0.1", "0.0.0.0, ::1", "'::', 127.0.0.1", "'::', ::1"})
    void aWildcardAsLocalAddressTakesTheFamilyOfTheRemote(String local, String host)
            throws IOException {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress(host, 0))) {
            int port = freePort();
            ConnectOptions from =
                    ConnectOptions.defaults().local(new InetSocketAddress(local, port));
            InetSocketAddress to = new InetSocketAddress(host, listener.getLocalPort());
            try (Socket client = Subflows.connect(to, from)) {
                assertEquals(new InetSocketAddress(host, port), client.getLocalSocketAddress());
            }
        }
    }

    /** One local address for a name of both families, whose first address refuses. */
    @Test
    void aWildcardIsOfTheFamilyOfEachAddressOfAName() throws Exception {
        Path hosts = Files.createTempFile("subflows", null);
        try {
            Files.writeString(hosts, "127.0.0.1 both\n::1 both\n");
            String name = "-Djdk.net.hosts.file=" + hosts;
            String said = Jvm.said(List.of(), name, "org.subflows.WildcardTest$Both");
            assertEquals("both/[0:0:0:0:0:0:0:1]", said);
        } finally {
            Files.delete(hosts);
        }
    }

    static final class Both {
        private Both() {}

        public static void main(String[] arguments) throws IOException {
            try (ServerSocket listener = Subflows.listen(new InetSocketAddress("::1", 0))) {
                InetSocketAddress both =
                        InetSocketAddress.createUnresolved("both", listener.getLocalPort());
                ConnectOptions from =
                        ConnectOptions.defaults().local(new InetSocketAddress(freePort()));
                try (Socket client = Subflows.connect(both, from)) {
                    String remote = client.getRemoteSocketAddress().toString();
                    System.out.print(remote.substring(0, remote.lastIndexOf(':')));
                }
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    @Test
    void withIpv4PreferredItIsIpv4Only() throws Exception {
        String only = "-Djava.net.preferIPv4Stack=true";
        String said = Jvm.said(List.of(), only, "org.subflows.WildcardTest$Child");
        assertEquals("0.0.0.0", said);
    }

    static final class Child {
        private Child() {}

        public static void main(String[] arguments) throws IOException {
            try (ServerSocket listener = Subflows.listen(new InetSocketAddress(0))) {
                int port = listener.getLocalPort();
                Subflows.connect(new InetSocketAddress("127.0.0.1", port)).close();
                System.out.print(listener.getInetAddress().getHostAddress());
            }
        }
    }
}
