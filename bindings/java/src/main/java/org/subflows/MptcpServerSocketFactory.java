package org.subflows;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import javax.net.ServerSocketFactory;

/**
 * Makes server sockets that speak Multipath TCP with clients that support it, and plain TCP with
 * others: for servers that take a {@link ServerSocketFactory}.
 */
public final class MptcpServerSocketFactory extends ServerSocketFactory {
    /** For servers, which find the class by its name. */
    public MptcpServerSocketFactory() {}

    @Override
    public ServerSocket createServerSocket() throws IOException {
        return Subflows.serverSocket();
    }

    @Override
    public ServerSocket createServerSocket(int port) throws IOException {
        return createServerSocket(port, 0, null);
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog) throws IOException {
        return createServerSocket(port, backlog, null);
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog, InetAddress address)
            throws IOException {
        ServerSocket sock = Subflows.serverSocket();
        try {
            sock.bind(new InetSocketAddress(address, port), backlog);
            return sock;
        } catch (IOException error) {
            sock.close();
            throw error;
        }
    }
}
