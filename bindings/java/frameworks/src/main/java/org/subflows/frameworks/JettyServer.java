package org.subflows.frameworks;

import java.nio.ByteBuffer;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;

/** Jetty. */
final class JettyServer {
    private JettyServer() {}

    static void start() throws Exception {
        Server server = new Server(Serve.PORT);
        ServerConnector connector = (ServerConnector) server.getConnectors()[0];
        connector.setReuseAddress(true);
        connector.setAcceptedTcpNoDelay(true);
        connector.setAcceptedSendBufferSize(1 << 18);
        server.setHandler(
                new Handler.Abstract() {
                    @Override
                    public boolean handle(Request request, Response response, Callback callback) {
                        String path = request.getHttpURI().getPath();
                        response.write(true, ByteBuffer.wrap(Body.of(path)), callback);
                        return true;
                    }
                });
        server.start();
    }
}
