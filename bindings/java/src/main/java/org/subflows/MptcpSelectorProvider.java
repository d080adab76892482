package org.subflows;

import java.io.IOException;
import java.net.ProtocolFamily;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.AbstractSelector;
import java.nio.channels.spi.SelectorProvider;

/**
 * The JDK's own provider, but its stream channels speak Multipath TCP, or plain TCP if the kernel does
 * not support Multipath TCP.
 *
 * <p>{@code -Djava.nio.channels.spi.SelectorProvider=org.subflows.MptcpSelectorProvider} installs it.
 * The JDK's HttpClient and HttpServer then speak Multipath TCP, as does all code that uses channels.
 * With {@code -Dorg.subflows.control=true} the connections that it makes are under control. The
 * {@linkplain Agent agent} reaches plain sockets as well.
 */
public final class MptcpSelectorProvider extends SelectorProvider {
    private static final boolean CONTROLLED = Boolean.getBoolean("org.subflows.control");

    private final SelectorProvider jdk = Native.defaultProvider();

    /** Called by the JDK, which finds the class by its name. */
    public MptcpSelectorProvider() {}

    @Override
    public DatagramChannel openDatagramChannel() throws IOException {
        return jdk.openDatagramChannel();
    }

    @Override
    public DatagramChannel openDatagramChannel(ProtocolFamily family) throws IOException {
        return jdk.openDatagramChannel(family);
    }

    @Override
    public Pipe openPipe() throws IOException {
        return jdk.openPipe();
    }

    @Override
    public AbstractSelector openSelector() throws IOException {
        return jdk.openSelector();
    }

    @Override
    public Channel inheritedChannel() throws IOException {
        return jdk.inheritedChannel();
    }

    @Override
    public SocketChannel openSocketChannel() throws IOException {
        return client(jdk.openSocketChannel());
    }

    @Override
    public ServerSocketChannel openServerSocketChannel() throws IOException {
        return Subflows.replaced(jdk.openServerSocketChannel());
    }

    /** Called by Java 15 and newer. Channels of other families than IP are left as they are. */
    public SocketChannel openSocketChannel(ProtocolFamily family) throws IOException {
        SocketChannel channel = Families.client(jdk, family);
        return Families.isIp(family) ? client(channel) : channel;
    }

    /** Called by Java 15 and newer. Channels of other families than IP are left as they are. */
    public ServerSocketChannel openServerSocketChannel(ProtocolFamily family) throws IOException {
        ServerSocketChannel channel = Families.server(jdk, family);
        return Families.isIp(family) ? Subflows.replaced(channel) : channel;
    }

    private static SocketChannel client(SocketChannel channel) throws IOException {
        Subflows.replaced(channel);
        if (CONTROLLED) {
            try {
                Subflows.takeControl(channel);
            } catch (SubflowsException error) {
                channel.close();
                throw error;
            }
        }
        return channel;
    }
}
