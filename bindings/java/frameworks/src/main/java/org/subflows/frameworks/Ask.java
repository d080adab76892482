package org.subflows.frameworks;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.subflows.Connection;
import org.subflows.ConnectionsOptions;
import org.subflows.Details;
import org.subflows.SubflowState;
import org.subflows.Subflows;

/**
 * Sends requests to a server and checks the answers: {@code Ask KIND HOST REQUESTS [CUT]}. With CUT, the name
 * of an interface, it waits for a second path after the first requests, and takes this interface down after
 * half of them. Prints the state of its connections.
 */
final class Ask {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** A request for so many bytes. */
    interface Request {
        byte[] send(int length) throws Exception;
    }

    private Ask() {}

    public static void main(String[] arguments) throws Exception {
        String host = arguments[1];
        int requests = Integer.parseInt(arguments[2]);
        String cut = arguments.length > 3 ? arguments[3] : null;
        Request request = request(arguments[0], host);
        String before = "";
        for (int i = 0; i < requests; i++) {
            if (i == requests / 2) {
                before = cut == null ? paths() : secondPath();
                if (cut != null) {
                    run("ip", "link", "set", cut, "down");
                }
            }
            // Every tenth answer is longer than a window of TCP at the beginning.
            int length = i % 10 == 9 ? 100_000 : i % 100;
            byte[] answer = request.send(length);
            if (!Arrays.equals(answer, Body.of(length))) {
                throw new AssertionError("request " + i + ": wrong bytes, " + answer.length);
            }
        }
        System.out.println(requests + " answers, " + before);
        System.exit(0);
    }

    private static Request request(String kind, String host) throws Exception {
        switch (kind) {
            case "grpc":
                return GrpcEcho.client(host);
            case "lettuce":
                return LettuceClient.client(host);
            case "netty-io_uring":
            case "netty-epoll":
                return new NettyClient(kind.substring("netty-".length()), host);
            default:
                return http(host);
        }
    }

    /** The JDK's client, which keeps its connection. */
    private static Request http(String host) {
        HttpClient client =
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .connectTimeout(PATIENCE)
                        .build();
        return length -> {
            URI uri = URI.create("http://" + host + ":" + Serve.PORT + "/" + length);
            HttpRequest request = HttpRequest.newBuilder(uri).timeout(PATIENCE).build();
            HttpResponse<byte[]> answer =
                    client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            if (answer.statusCode() != 200) {
                throw new IOException("status " + answer.statusCode());
            }
            return answer.body();
        };
    }

    private static String secondPath() throws IOException {
        long start = System.nanoTime();
        while (System.nanoTime() - start < PATIENCE.toNanos()) {
            List<Connection> all = connections();
            if (!all.isEmpty() && all.stream().allMatch(one -> established(one) > 1)) {
                return paths();
            }
            Thread.onSpinWait();
        }
        throw new AssertionError("no second path: " + connections());
    }

    private static long established(Connection connection) {
        return connection.subflows().stream()
                .map(Details::state)
                .filter(SubflowState.ESTABLISHED::equals)
                .count();
    }

    private static String paths() throws IOException {
        List<Connection> all = connections();
        return all.size() + " Multipath TCP, paths " + all.stream().map(Ask::established).toList();
    }

    private static List<Connection> connections() throws IOException {
        return Subflows.connections(ConnectionsOptions.defaults().subflows(true));
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
    }
}
