package org.subflows;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.apache.hc.client5.http.classic.methods.HttpGet;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.io.entity.EntityUtils;

/** Clients of other projects. Each keeps its connection, because it is never closed. */
final class Clients {
    private Clients() {}

    static String okHttp(OkHttpClient.Builder client, int port) throws IOException {
        Request request = new Request.Builder().url(url(port)).build();
        try (Response response = client.build().newCall(request).execute()) {
            return response.body().string();
        }
    }

    /** Reads the answer to a request of its own, by Netty's native transport. */
    static String nettyEpoll(int port) throws Exception {
        CompletableFuture<String> answer = new CompletableFuture<>();
        Channel channel =
                new Bootstrap()
                        .group(new EpollEventLoopGroup(1))
                        .channel(EpollSocketChannel.class)
                        .option(ChannelOption.IP_TOS, 0x28)
                        .handler(
                                new SimpleChannelInboundHandler<ByteBuf>() {
                                    @Override
                                    protected void channelRead0(
                                            ChannelHandlerContext context, ByteBuf bytes) {
                                        String text = bytes.toString(StandardCharsets.UTF_8);
                                        answer.complete(text.substring(text.length() - 5));
                                    }
                                })
                        .connect("127.0.0.1", port)
                        .sync()
                        .channel();
        byte[] request = "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.UTF_8);
        channel.writeAndFlush(Unpooled.wrappedBuffer(request));
        return answer.get(10, TimeUnit.SECONDS);
    }

    static String urlConnection(int port) throws IOException {
        try (InputStream in = new URL(url(port)).openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static String apache(int port) throws IOException {
        return HttpClients.createDefault()
                .execute(
                        new HttpGet(url(port)),
                        answer -> EntityUtils.toString(answer.getEntity()));
    }

    static String h2(int port) throws SQLException {
        String url = "jdbc:h2:tcp://127.0.0.1:" + port + "/mem:things";
        ResultSet row =
                DriverManager.getConnection(url).createStatement().executeQuery("select 'hello'");
        row.next();
        return row.getString(1);
    }

    private static String url(int port) {
        return "http://127.0.0.1:" + port + "/";
    }
}
