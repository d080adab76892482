package org.subflows.frameworks;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.uring.IoUringChannelOption;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;

/** Netty, which closes an accepted connection if an option fails. */
final class NettyServer {
    private NettyServer() {}

    static void start(String name) throws InterruptedException {
        NettyTransport transport = NettyTransport.named(name);
        ServerBootstrap server =
                new ServerBootstrap()
                        .group(new MultiThreadIoEventLoopGroup(1, transport.handler()))
                        .channel(transport.server())
                        .option(ChannelOption.SO_REUSEADDR, true)
                        .childOption(ChannelOption.SO_REUSEADDR, true)
                        .childOption(ChannelOption.SO_KEEPALIVE, true)
                        .childOption(ChannelOption.IP_TOS, 0x28)
                        .childHandler(
                                new ChannelInitializer<SocketChannel>() {
                                    @Override
                                    protected void initChannel(SocketChannel channel) {
                                        channel.pipeline()
                                                .addLast(
                                                        new HttpServerCodec(),
                                                        new HttpObjectAggregator(1024),
                                                        new Bodies());
                                    }
                                });
        switch (name) {
            case "epoll":
                server.childOption(EpollChannelOption.TCP_QUICKACK, true)
                        .childOption(EpollChannelOption.TCP_USER_TIMEOUT, 30_000);
                break;
            case "io_uring":
                server.childOption(IoUringChannelOption.TCP_QUICKACK, true)
                        .childOption(IoUringChannelOption.TCP_USER_TIMEOUT, 30_000);
                break;
            default:
                break;
        }
        server.bind(Serve.PORT).sync();
    }

    private static final class Bodies extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            byte[] body = Body.of(request.uri());
            FullHttpResponse response =
                    new DefaultFullHttpResponse(
                            HttpVersion.HTTP_1_1,
                            HttpResponseStatus.OK,
                            Unpooled.wrappedBuffer(body));
            HttpUtil.setContentLength(response, body.length);
            context.writeAndFlush(response);
        }
    }
}
