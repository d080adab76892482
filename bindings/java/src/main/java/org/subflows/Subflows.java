package org.subflows;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.ArrayList;
import java.util.List;

/**
 * See and steer the subflows of Multipath TCP connections.
 *
 * <pre>{@code
 * Socket sock = Subflows.connect(address, ConnectOptions.controlled());
 * for (Subflow path : Subflows.list(sock)) {
 *     System.out.println(path.id() + " " + path.local() + " " + path.rtt());
 * }
 * Subflow extra = Subflows.open(sock, OpenOptions.via("wwan0").backup());
 * Subflows.close(sock, extra.id());
 * }</pre>
 *
 * <p>A <em>socket</em> is a {@link Socket}, a {@link ServerSocket}, a channel, a TLS socket over one
 * of them, or the number of a descriptor. It is borrowed for the call and never closed. The library
 * keeps no state: every answer comes from the kernel.
 *
 * <p>A call that waits ends at once with {@link java.io.InterruptedIOException} if its thread is
 * interrupted. If another thread closes the socket, {@code open} fails soon after with {@link
 * ErrorKind#CLOSED}, and {@link Events} report {@link EventKind#CLOSED}. If the descriptor was passed
 * by its number, {@code open} does not notice that it is closed.
 */
public final class Subflows extends Verbs {
    /** The JDK's own sockets then speak IPv4 only. */
    private static final boolean IS_IPV4_PREFERRED = Boolean.getBoolean("java.net.preferIPv4Stack");

    private Subflows() {}

    /**
     * Makes a socket, unconnected and unbound: Multipath TCP, or plain TCP if the kernel does not
     * support Multipath TCP, or it is switched off or forbidden ({@link #status(Socket)} reports
     * which).
     *
     * <p>Requires no privilege; Linux 5.6 or newer.
     */
    public static Socket socket() throws IOException {
        return replaced(new Socket());
    }

    /** As {@link #socket()}, for a server socket; {@link #listen} makes one that is bound. */
    public static ServerSocket serverSocket() throws IOException {
        return replaced(new ServerSocket());
    }

    /** As {@link #socket()}, for a channel. */
    public static SocketChannel socketChannel() throws IOException {
        return replaced(SocketChannel.open());
    }

    /**
     * As {@link #socket()}, for a channel of one family of addresses.
     *
     * @throws UnsupportedOperationException if the family is neither INET nor INET6
     */
    public static SocketChannel socketChannel(ProtocolFamily family) throws IOException {
        if (!Families.isIp(Given.notNull(family, "family", "INET or INET6"))) {
            throw new UnsupportedOperationException(
                    "Multipath TCP has no sockets of the family " + family + ": use INET or INET6");
        }
        return replaced(Families.client(family));
    }

    /** Puts a Multipath TCP socket under the descriptor of an object that the JDK has just made. */
    static <S extends Closeable> S replaced(S sock) throws IOException {
        try {
            Native.upgradeNew(sock);
            return sock;
        } catch (IOException error) {
            sock.close();
            throw error;
        }
    }

    /**
     * Connects by Multipath TCP, or by plain TCP if either end does not support Multipath TCP.
     *
     * @throws SubflowsException REFUSED, UNREACHABLE, TIMED_OUT, ADDRESS_NOT_AVAILABLE
     */
    public static Socket connect(InetSocketAddress address) throws IOException {
        return connect(address, ConnectOptions.defaults());
    }

    /**
     * Connects by Multipath TCP, or by plain TCP if either end does not support Multipath TCP. The
     * socket has a channel: {@link Socket#getChannel}. If the address is unresolved, the addresses of
     * its name are tried in turn, with the whole timeout each. A wildcard as local address, for example
     * {@code new InetSocketAddress(port)}, means every local address of the remote's family.
     *
     * <p>Requires no privilege, or what {@code takeControl} requires if {@code ConnectOptions.control}
     * is set; Linux 5.6 or newer.
     *
     * @throws SubflowsException REFUSED, UNREACHABLE, TIMED_OUT, ADDRESS_NOT_AVAILABLE; with control
     *     also what {@code takeControl} throws
     */
    public static Socket connect(InetSocketAddress address, ConnectOptions options)
            throws IOException {
        return openChannel(address, options).socket();
    }

    /** As {@link #connect(InetSocketAddress)}, for a channel, in blocking mode. */
    public static SocketChannel openChannel(InetSocketAddress address) throws IOException {
        return openChannel(address, ConnectOptions.defaults());
    }

    /** As {@link #connect(InetSocketAddress, ConnectOptions)}, for a channel, in blocking mode. */
    public static SocketChannel openChannel(InetSocketAddress address, ConnectOptions options)
            throws IOException {
        List<InetSocketAddress> remotes = resolved(address);
        long begun = Native.connectingBegin(
                PackedAddress.addresses(remotes),
                Given.notNull(options, "options", "ConnectOptions.defaults()").words());
        try (Handle connecting = new Handle(remotes, begun)) {
            long[] connected = connecting.finish(null);
            // The equal one of the list, which knows the name of the host.
            int index = remotes.indexOf(PackedAddress.address(connected, 0));
            return Native.connectingFinish(
                    begun, SelectorProvider.provider(), remotes.get(index));
        }
    }

    private static List<InetSocketAddress> resolved(InetSocketAddress address) throws IOException {
        Given.notNull(address, "address", "new InetSocketAddress(host, port)");
        if (!address.isUnresolved()) {
            return List.of(address);
        }
        List<InetSocketAddress> all = new ArrayList<>();
        try {
            for (InetAddress ip : InetAddress.getAllByName(address.getHostString())) {
                all.add(new InetSocketAddress(ip, address.getPort()));
            }
        } catch (UnknownHostException error) {
            throw new UnknownHostException(error.getMessage()
                    + ". Pass a host name that resolves, or an IP address, and the port apart.");
        }
        return all;
    }

    /** Listens with the defaults: see {@link #listen(InetSocketAddress, ListenOptions)}. */
    public static ServerSocket listen(InetSocketAddress address) throws IOException {
        return listen(address, ListenOptions.defaults());
    }

    /**
     * Listens for Multipath TCP connections; plain TCP clients are accepted as well. The socket has a
     * channel: {@link ServerSocket#getChannel}. A wildcard, for example {@code new
     * InetSocketAddress(port)}, means all local addresses of IPv4 and IPv6, as for the JDK's own
     * sockets. It means IPv4 only if the host has no IPv6 or {@code java.net.preferIPv4Stack} is set,
     * and IPv6 only with {@link ListenOptions#onlyV6()}. The addresses of an unresolved name are tried
     * in turn. The network namespace decides who manages the paths of accepted connections
     * ({@code net.mptcp.path_manager}).
     *
     * <p>Requires no privilege; Linux 5.6 or newer.
     *
     * @throws SubflowsException ADDRESS_NOT_AVAILABLE, NOT_PERMITTED for a port below 1024
     */
    public static ServerSocket listen(InetSocketAddress address, ListenOptions options)
            throws IOException {
        List<InetSocketAddress> locals = resolved(address);
        boolean isAny = locals.get(0).getAddress().isAnyLocalAddress() && !IS_IPV4_PREFERRED;
        SelectorProvider provider = SelectorProvider.provider();
        long[] words = Given.notNull(options, "options", "ListenOptions.defaults()").words();
        return Native.listen(PackedAddress.addresses(locals), isAny, words, provider).socket();
    }
}
