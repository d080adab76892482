package org.subflows;

import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;

/** An application that does not use this library, except to print the states of its connections. */
final class Http {
    private Http() {}

    public static void main(String[] arguments) throws Exception {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getByName(arguments[0]), 0);
        HttpServer server = HttpServer.create(any, 0);
        server.createContext(
                "/",
                exchange -> {
                    exchange.sendResponseHeaders(200, 5);
                    exchange.getResponseBody().write("hello".getBytes());
                    exchange.close();
                });
        server.start();
        HttpClient client = HttpClient.newHttpClient();
        String host = arguments[0].contains(":") ? "[" + arguments[0] + "]" : arguments[0];
        URI uri = URI.create("http://" + host + ":" + server.getAddress().getPort() + "/");
        String body =
                client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                        .body();
        // Client and server keep the connection open.
        List<Connection> connections = Subflows.connections();
        long here = connections.stream().filter(one -> of(server, one.local())).count();
        long there = connections.stream().filter(one -> of(server, one.remote())).count();
        long controlled =
                connections.stream()
                        .filter(one -> of(server, one.remote()))
                        .filter(one -> one.info().subflowsMax().isEmpty())
                        .count();
        System.out.print(body + " " + here + " " + there + " " + controlled);
        System.exit(0);
    }

    private static boolean of(HttpServer server, InetSocketAddress address) {
        return address.getPort() == server.getAddress().getPort();
    }
}
