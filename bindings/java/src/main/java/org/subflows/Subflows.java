package org.subflows;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

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
 * <p>A <em>socket</em> is a {@link Socket}, {@link ServerSocket}, channel, a socket of TLS over one
 * of them, or a descriptor. It is borrowed for the call and never closed. Nothing is kept: everything
 * can be asked again from the kernel.
 *
 * <p>What waits ends at once with {@link java.io.InterruptedIOException} when its thread is
 * interrupted. When another thread closes the socket, {@code open} ends soon after with {@link
 * ErrorKind#CLOSED}, and {@link Events} tell {@link EventKind#CLOSED}; of a descriptor that was given
 * by its number, {@code open} does not notice.
 */
public final class Subflows extends Verbs {
    /** The JDK's own sockets then speak IPv4 only. */
    private static final boolean IS_IPV4_PREFERRED = Boolean.getBoolean("java.net.preferIPv4Stack");

    private Subflows() {}

    /**
     * Makes a socket, unconnected and unbound: Multipath TCP, or plain TCP where the kernel has none,
     * or it is switched off or forbidden ({@link #status(Socket)} then says so).
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
     * @throws UnsupportedOperationException for another family than INET and INET6
     */
    public static SocketChannel socketChannel(ProtocolFamily family) throws IOException {
        if (!Families.isIp(Objects.requireNonNull(family, "family"))) {
            throw new UnsupportedOperationException("Multipath TCP is IP's, not that of " + family);
        }
        return replaced(Families.client(family));
    }

    /** What the JDK has just made, with another socket under its descriptor. */
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
     * Connects by Multipath TCP, or by plain TCP where either end has none.
     *
     * @throws SubflowsException REFUSED, UNREACHABLE, TIMED_OUT, ADDRESS_NOT_AVAILABLE
     */
    public static Socket connect(InetSocketAddress address) throws IOException {
        return connect(address, ConnectOptions.defaults());
    }

    /**
     * Connects by Multipath TCP, or by plain TCP where either end has none. The socket has a channel:
     * {@link Socket#getChannel}. Of an unresolved address, each that its name has is tried in turn,
     * with the whole timeout each. A local address that is a wildcard, as that of {@code new
     * InetSocketAddress(port)}, stands for that of the remote's family.
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
        long begun = Native.connectingBegin(Words.addresses(remotes), options.words());
        try (Handle connecting = new Handle(remotes, begun)) {
            long[] connected = connecting.await(wait -> Native.connectingWait(begun, wait));
            // The equal one of the list, which knows the name of the host.
            int index = remotes.indexOf(Words.address(connected, 0));
            return Native.connectingFinish(
                    begun, SelectorProvider.provider(), remotes.get(index));
        }
    }

    private static List<InetSocketAddress> resolved(InetSocketAddress address) throws IOException {
        if (!address.isUnresolved()) {
            return List.of(address);
        }
        List<InetSocketAddress> all = new ArrayList<>();
        for (InetAddress ip : InetAddress.getAllByName(address.getHostString())) {
            all.add(new InetSocketAddress(ip, address.getPort()));
        }
        return all;
    }

    /** Listens with the defaults: see {@link #listen(InetSocketAddress, ListenOptions)}. */
    public static ServerSocket listen(InetSocketAddress address) throws IOException {
        return listen(address, ListenOptions.defaults());
    }

    /**
     * Listens for Multipath TCP connections; plain TCP clients are accepted as well. The socket has a
     * channel: {@link ServerSocket#getChannel}. A wildcard, as that of {@code new
     * InetSocketAddress(port)}, stands for all addresses of IPv4 and IPv6, as it does for the JDK's own
     * sockets: unless the host has no IPv6, {@code java.net.preferIPv4Stack} forbids it or {@link
     * ListenOptions#onlyV6()} asks for it alone. Who manages the paths of the connections that it
     * accepts, the namespace decides: net.mptcp.path_manager.
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
        return Native.listen(Words.addresses(locals), isAny, options.words(), provider).socket();
    }
}
