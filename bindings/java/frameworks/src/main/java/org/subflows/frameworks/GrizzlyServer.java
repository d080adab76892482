package org.subflows.frameworks;

import java.io.IOException;
import org.glassfish.grizzly.http.server.HttpHandler;
import org.glassfish.grizzly.http.server.HttpServer;
import org.glassfish.grizzly.http.server.NetworkListener;
import org.glassfish.grizzly.http.server.Request;
import org.glassfish.grizzly.http.server.Response;

/** Grizzly, which sets SO_REUSEADDR on every socket that it accepts. */
final class GrizzlyServer {
    private GrizzlyServer() {}

    static void start() throws IOException {
        HttpServer server = new HttpServer();
        NetworkListener listener = new NetworkListener("bodies", "0.0.0.0", Serve.PORT);
        listener.getTransport().setReuseAddress(true);
        listener.getTransport().setKeepAlive(true);
        listener.getKeepAlive().setMaxRequestsCount(-1);
        server.addListener(listener);
        server.getServerConfiguration().addHttpHandler(new Bodies(), "/");
        server.start();
    }

    private static final class Bodies extends HttpHandler {
        @Override
        public void service(Request request, Response response) throws IOException {
            byte[] body = Body.of(request.getRequestURI());
            response.setContentLength(body.length);
            response.getOutputStream().write(body);
        }
    }
}
