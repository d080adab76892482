package org.subflows;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import okhttp3.OkHttpClient;
import org.h2.tools.Server;

/**
 * A client and a server of other projects, which do not use this library unless the client gets a
 * factory. Prints which ends of the connection speak Multipath TCP. With a third argument it loads Netty's
 * native transport first, and begins when its input ends.
 */
final class Libraries {
    private interface Start {
        int start() throws Exception;
    }

    private interface Ask {
        String ask(int port) throws Exception;
    }

    private static final Map<String, Start> SERVERS =
            Map.of(
                    "netty", NettyServer::start,
                    "netty-epoll", NettyServer::startNative,
                    "jetty", JettyServer::start,
                    "tomcat", TomcatServer::start,
                    "h2", Libraries::h2);

    private static final Map<String, Ask> CLIENTS =
            Map.of(
                    "okhttp", port -> Clients.okHttp(new OkHttpClient.Builder(), port),
                    "okhttp-factory", port -> Clients.okHttp(withFactory(), port),
                    "urlconnection", Clients::urlConnection,
                    "netty-epoll", Clients::nettyEpoll,
                    "apache", Clients::apache,
                    "h2", Clients::h2);

    private Libraries() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 2) {
            Epoll.ensureAvailability();
            new EpollServerSocketChannel().config().setReuseAddress(true);
            System.out.println("loaded");
            System.in.read();
        }
        int port = SERVERS.get(arguments[0]).start();
        System.out.print(CLIENTS.get(arguments[1]).ask(port));
        // Client and server keep the connection open.
        List<Connection> connections = Subflows.connections();
        long server = connections.stream().filter(one -> one.local().getPort() == port).count();
        long ours = connections.stream().filter(one -> one.remote().getPort() == port).count();
        System.out.print(" " + ours + " " + server);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static int h2() throws SQLException {
        return Server.createTcpServer("-tcpPort", "0", "-ifNotExists").start().getPort();
    }

    private static OkHttpClient.Builder withFactory() {
        return new OkHttpClient.Builder().socketFactory(new MptcpSocketFactory());
    }
}
