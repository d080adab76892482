package org.subflows;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollSocketChannelConfig;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** Netty, with its transport of the JDK's channels or with its native one. */
final class NettyServer {
    /** SO_REUSEADDR, TCP_QUICKACK. */
    private static final boolean[] EXPECTED = {true, false};

    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.UTF_8);

    private NettyServer() {}

    static int start() throws InterruptedException {
        return start(
                new ServerBootstrap()
                        .group(new NioEventLoopGroup(1))
                        .channel(NioServerSocketChannel.class));
    }

    /** Sets the options that the kernel does not have for Multipath TCP. */
    static int startNative() throws InterruptedException {
        return start(
                new ServerBootstrap()
                        .group(new EpollEventLoopGroup(1))
                        .channel(EpollServerSocketChannel.class)
                        .childOption(ChannelOption.SO_REUSEADDR, true)
                        .childOption(ChannelOption.IP_TOS, 0x28)
                        .childOption(EpollChannelOption.TCP_QUICKACK, false)
                        .childOption(EpollChannelOption.TCP_USER_TIMEOUT, 9));
    }

    private static int start(ServerBootstrap bootstrap) throws InterruptedException {
        ServerBootstrap server =
                bootstrap
                        .childHandler(
                                new ChannelInitializer<SocketChannel>() {
                                    @Override
                                    protected void initChannel(SocketChannel channel) {
                                        channel.pipeline()
                                                .addLast(
                                                        new HttpServerCodec(),
                                                        new HttpObjectAggregator(1024),
                                                        new Greeter());
                                    }
                                });
        Channel channel = server.bind("127.0.0.1", 0).sync().channel();
        return ((InetSocketAddress) channel.localAddress()).getPort();
    }

    private static final class Greeter extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        public void channelActive(ChannelHandlerContext context) {
            // Netty only logs that an option failed.
            if (context.channel() instanceof EpollSocketChannel) {
                EpollSocketChannelConfig config = ((EpollSocketChannel) context.channel()).config();
                List<Integer> values = List.of(config.getTrafficClass(), config.getTcpUserTimeout());
                boolean[] flags = {config.isReuseAddress(), config.isTcpQuickAck()};
                if (!values.equals(List.of(0x28, 9)) || !Arrays.equals(flags, EXPECTED)) {
                    throw new AssertionError(values + " " + Arrays.toString(flags));
                }
            }
            context.fireChannelActive();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            cause.printStackTrace();
            context.close();
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            FullHttpResponse response =
                    new DefaultFullHttpResponse(
                            HttpVersion.HTTP_1_1,
                            HttpResponseStatus.OK,
                            Unpooled.wrappedBuffer(HELLO));
            HttpUtil.setContentLength(response, HELLO.length);
            context.writeAndFlush(response);
        }
    }
}
