package org.subflows;

import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;

/** Channels of one address family, by methods of Java 15 that these class files cannot name. */
final class Families {
    private static final MethodHandle CLIENT = find("openSocketChannel", SocketChannel.class);
    private static final MethodHandle SERVER =
            find("openServerSocketChannel", ServerSocketChannel.class);

    private Families() {}

    static boolean isIp(ProtocolFamily family) {
        return family == StandardProtocolFamily.INET || family == StandardProtocolFamily.INET6;
    }

    static SocketChannel client(ProtocolFamily family) throws IOException {
        return client(SelectorProvider.provider(), family);
    }

    static SocketChannel client(SelectorProvider provider, ProtocolFamily family)
            throws IOException {
        return SocketChannel.class.cast(open(CLIENT, provider, family));
    }

    static ServerSocketChannel server(SelectorProvider provider, ProtocolFamily family)
            throws IOException {
        return ServerSocketChannel.class.cast(open(SERVER, provider, family));
    }

    private static Object open(MethodHandle method, SelectorProvider provider, ProtocolFamily family)
            throws IOException {
        try {
            return method.invoke(provider, family);
        } catch (IOException | RuntimeException | Error thrown) {
            throw thrown;
        } catch (Throwable impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static MethodHandle find(String name, Class<?> result) {
        try {
            MethodType type = MethodType.methodType(result, ProtocolFamily.class);
            return MethodHandles.publicLookup().findVirtual(SelectorProvider.class, name, type);
        } catch (ReflectiveOperationException before15) {
            throw new UnsupportedOperationException(before15);
        }
    }
}
