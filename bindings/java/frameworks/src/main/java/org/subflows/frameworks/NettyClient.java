package org.subflows.frameworks;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpVersion;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One connection of Netty's. */
final class NettyClient implements Ask.Request {
    private final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
    private final Channel channel;

    NettyClient(String transport, String host) throws InterruptedException {
        NettyTransport classes = NettyTransport.named(transport);
        channel =
                new Bootstrap()
                        .group(new MultiThreadIoEventLoopGroup(1, classes.handler()))
                        .channel(classes.client())
                        .option(ChannelOption.TCP_NODELAY, true)
                        .option(ChannelOption.IP_TOS, 0x28)
                        .handler(
                                new ChannelInitializer<SocketChannel>() {
                                    @Override
                                    protected void initChannel(SocketChannel channel) {
                                        channel.pipeline()
                                                .addLast(
                                                        new HttpClientCodec(),
                                                        new HttpObjectAggregator(1 << 20),
                                                        new Answers());
                                    }
                                })
                        .connect(host, Serve.PORT)
                        .sync()
                        .channel();
    }

    @Override
    public byte[] send(int length) throws InterruptedException {
        channel.writeAndFlush(
                new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, "/" + length));
        byte[] answer = answers.poll(30, TimeUnit.SECONDS);
        if (answer == null) {
            throw new AssertionError("no answer to " + length + "; " + channel);
        }
        return answer;
    }

    private final class Answers extends SimpleChannelInboundHandler<FullHttpResponse> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse answer) {
            answers.add(ByteBufUtil.getBytes(answer.content()));
        }
    }
}
