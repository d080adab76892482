package org.subflows;

import java.io.Closeable;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
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
        if (!address.isUnresolved()) {
            return connected(address, options);
        }
        SubflowsException last = null;
        for (InetAddress ip : InetAddress.getAllByName(address.getHostString())) {
            try {
                return connected(new InetSocketAddress(ip, address.getPort()), options);
            } catch (SubflowsException error) {
                if (last != null) {
                    error.addSuppressed(last);
                }
                last = error;
            }
        }
        throw Objects.requireNonNull(last, "a name that resolves has an address");
    }

    private static SocketChannel connected(InetSocketAddress remote, ConnectOptions options)
            throws IOException {
        long[] to = Words.address(remote);
        long[] words = options.words();
        InetSocketAddress local = (InetSocketAddress) options.value(0);
        if (local != null && local.getAddress().isAnyLocalAddress()) {
            words = options.local(wildcard(family(remote), local.getPort())).words();
        }
        try (Handle connecting = new Handle(remote, Native.connectingBegin(to, words))) {
            while (!Native.connectingAdvance(connecting.number())) {
                connecting.await(Native.timeLeft(connecting.number()));
            }
            return Native.connectingFinish(
                    connecting.number(), SelectorProvider.provider(), family(remote), remote);
        }
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
        if (address.isUnresolved()) {
            address = new InetSocketAddress(
                    InetAddress.getByName(address.getHostString()), address.getPort());
        }
        if (address.getAddress().isAnyLocalAddress() && Families.hasIpv6()) {
            address = wildcard(StandardProtocolFamily.INET6, address.getPort());
        }
        SelectorProvider provider = SelectorProvider.provider();
        long[] local = Words.address(address);
        return Native.listen(local, options.words(), provider, family(address)).socket();
    }

    /** The JDK's own is always that of IPv4, and stands for both. */
    private static InetSocketAddress wildcard(ProtocolFamily family, int port) throws IOException {
        byte[] zeros = new byte[family == StandardProtocolFamily.INET ? 4 : 16];
        return new InetSocketAddress(InetAddress.getByAddress(zeros), port);
    }

    private static ProtocolFamily family(InetSocketAddress address) {
        return address.getAddress() instanceof Inet4Address
                ? StandardProtocolFamily.INET
                : StandardProtocolFamily.INET6;
    }
}
