package org.subflows;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import javax.net.SocketFactory;

/**
 * Makes sockets that speak Multipath TCP, or plain TCP if the kernel does not support Multipath TCP:
 * for HTTP clients, database drivers and other libraries that take a {@link SocketFactory}.
 */
public final class MptcpSocketFactory extends SocketFactory {
    /** For database drivers, which find the class by its name. */
    public MptcpSocketFactory() {}

    @Override
    public Socket createSocket() throws IOException {
        return Subflows.socket();
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return connected(null, new InetSocketAddress(host, port));
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return connected(null, new InetSocketAddress(host, port));
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress localHost, int localPort)
            throws IOException {
        return connected(
                new InetSocketAddress(localHost, localPort), new InetSocketAddress(host, port));
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress localHost, int localPort)
            throws IOException {
        return connected(
                new InetSocketAddress(localHost, localPort), new InetSocketAddress(host, port));
    }

    private static Socket connected(InetSocketAddress local, InetSocketAddress remote)
            throws IOException {
        Socket sock = Subflows.socket();
        try {
            if (local != null) {
                sock.bind(local);
            }
            sock.connect(remote);
            return sock;
        } catch (IOException error) {
            sock.close();
            throw error;
        }
    }
}
