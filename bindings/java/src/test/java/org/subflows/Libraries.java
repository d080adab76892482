package org.subflows;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
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
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import okhttp3.OkHttpClient;
import okhttp3.Response;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;

/**
 * Servers of others, asked by OkHttp. None of them knows of Multipath TCP, beside the factory that
 * OkHttp is given; then it is told which ends of the connection speak it.
 */
final class Libraries {
    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.UTF_8);

    private Libraries() {}

    public static void main(String[] arguments) throws Exception {
        int port;
        switch (arguments[0]) {
            case "netty": port = netty(); break;
            case "jetty": port = jetty(); break;
            default: port = tomcat(); break;
        }
        OkHttpClient client =
                new OkHttpClient.Builder().socketFactory(new MptcpSocketFactory()).build();
        okhttp3.Request request =
                new okhttp3.Request.Builder().url("http://127.0.0.1:" + port + "/").build();
        try (Response response = client.newCall(request).execute()) {
            System.out.print(response.body().string());
        }
        // Both ends are kept open by both.
        List<Connection> connections = Subflows.connections();
        long server = connections.stream().filter(one -> one.local().getPort() == port).count();
        long ours = connections.stream().filter(one -> one.remote().getPort() == port).count();
        System.out.print(" " + ours + " " + server);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static int netty() throws InterruptedException {
        ServerBootstrap server =
                new ServerBootstrap()
                        .group(new NioEventLoopGroup(1))
                        .channel(NioServerSocketChannel.class)
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

    private static int jetty() throws Exception {
        Server server = new Server(new InetSocketAddress("127.0.0.1", 0));
        server.setHandler(
                new Handler.Abstract() {
                    @Override
                    public boolean handle(
                            Request request,
                            org.eclipse.jetty.server.Response response,
                            Callback callback) {
                        Content.Sink.write(response, true, "hello", callback);
                        return true;
                    }
                });
        server.start();
        return ((ServerConnector) server.getConnectors()[0]).getLocalPort();
    }

    private static int tomcat() throws Exception {
        Path folder = Files.createTempDirectory("tomcat");
        folder.toFile().deleteOnExit();
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.toString());
        tomcat.setPort(0);
        Context context = tomcat.addContext("", folder.toString());
        Tomcat.addServlet(context, "hello", new Hello());
        context.addServletMappingDecoded("/", "hello");
        tomcat.getConnector();
        tomcat.start();
        return tomcat.getConnector().getLocalPort();
    }

    private static final class Hello extends HttpServlet {
        private static final long serialVersionUID = 1;

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response)
                throws IOException {
            response.setContentLength(HELLO.length);
            response.getOutputStream().write(HELLO);
        }
    }
}
