package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.UnixChannel;
import java.net.InetAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Netty's native transport makes its own sockets: they are upgraded by their descriptors. */
class NettyEpollTest {
    private static final int LENGTH = 1 << 20;

    private final EventLoopGroup group = new EpollEventLoopGroup(1);
    private final CompletableFuture<EpollSocketChannel> accepted = new CompletableFuture<>();
    private final CompletableFuture<Integer> echoed = new CompletableFuture<>();

    @AfterEach
    void end() throws Exception {
        group.shutdownGracefully(0, 10, TimeUnit.SECONDS).sync();
    }

    @Test
    void bothEndsAndASecondSubflow() throws Exception {
        EpollSocketChannel client = connect(listen());
        int here = client.fd().intValue();
        int there = accepted.get(10, TimeUnit.SECONDS).fd().intValue();
        assertNotEquals(0, Subflows.info(here).token());
        assertNotEquals(0, Subflows.info(there).token());
        assertNotEquals(Subflows.info(here).token(), Subflows.info(there).token());

        client.writeAndFlush(Unpooled.wrappedBuffer(new byte[LENGTH])).sync();
        assertEquals(LENGTH, echoed.get(10, TimeUnit.SECONDS));

        InetAddress second = InetAddress.getByName("127.0.0.2");
        Subflow extra = Subflows.open(here, OpenOptions.from(second));
        assertEquals(2, Subflows.list(here).size());
        assertTrue(
                Subflows.list(there).stream()
                        .anyMatch(path -> path.remote().equals(extra.local())));
    }

    private EpollServerSocketChannel listen() throws Exception {
        ServerBootstrap server =
                new ServerBootstrap()
                        .group(group)
                        .channelFactory(() -> upgraded(new EpollServerSocketChannel()))
                        .childHandler(
                                new ChannelInitializer<EpollSocketChannel>() {
                                    @Override
                                    protected void initChannel(EpollSocketChannel channel) {
                                        accepted.complete(channel);
                                        channel.pipeline().addLast(new Echo());
                                    }
                                });
        return (EpollServerSocketChannel) server.bind("127.0.0.1", 0).sync().channel();
    }

    private EpollSocketChannel connect(EpollServerSocketChannel server) throws Exception {
        Bootstrap client =
                new Bootstrap()
                        .group(group)
                        .channelFactory(() -> controlled(upgraded(new EpollSocketChannel())))
                        .handler(new Counter());
        return (EpollSocketChannel) client.connect(server.localAddress()).sync().channel();
    }

    private static <C extends UnixChannel> C upgraded(C channel) {
        try {
            Subflows.upgrade(channel.fd().intValue());
            return channel;
        } catch (SubflowsException error) {
            throw new AssertionError(error);
        }
    }

    private static <C extends UnixChannel> C controlled(C channel) {
        try {
            Subflows.takeControl(channel.fd().intValue());
            return channel;
        } catch (SubflowsException error) {
            throw new AssertionError(error);
        }
    }

    private static final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            context.writeAndFlush(message);
        }
    }

    /** Completes when all bytes have come back. */
    private final class Counter extends SimpleChannelInboundHandler<ByteBuf> {
        private int count;

        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf bytes) {
            count += bytes.readableBytes();
            if (count == LENGTH) {
                echoed.complete(count);
            }
        }
    }
}
