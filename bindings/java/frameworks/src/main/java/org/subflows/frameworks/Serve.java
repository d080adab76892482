package org.subflows.frameworks;

import java.util.Map;

/** Runs the server of the name that is passed, on every address, until it is killed. */
final class Serve {
    /** The network of each test is its own. */
    static final int PORT = 8080;

    private interface Start {
        void start() throws Exception;
    }

    private static final Map<String, Start> SERVERS =
            Map.of(
                    "undertow", UndertowServer::start,
                    "helidon", HelidonServer::start,
                    "jetty", JettyServer::start,
                    "tomcat", TomcatServer::start,
                    "grizzly", GrizzlyServer::start,
                    "netty-nio", () -> NettyServer.start("nio"),
                    "netty-epoll", () -> NettyServer.start("epoll"),
                    "netty-io_uring", () -> NettyServer.start("io_uring"),
                    "grpc", GrpcEcho::serve);

    private Serve() {}

    public static void main(String[] arguments) throws Exception {
        SERVERS.get(arguments[0]).start();
        Thread.sleep(Long.MAX_VALUE);
    }
}
