package org.subflows.frameworks;

import io.undertow.Undertow;
import java.nio.ByteBuffer;
import org.xnio.Options;

/** Undertow, which sets SO_OOBINLINE on every socket that it accepts. */
final class UndertowServer {
    private UndertowServer() {}

    static void start() {
        Undertow.builder()
                .addHttpListener(Serve.PORT, "0.0.0.0")
                .setSocketOption(Options.REUSE_ADDRESSES, true)
                .setSocketOption(Options.IP_TRAFFIC_CLASS, 0x28)
                .setHandler(
                        exchange ->
                                exchange.getResponseSender()
                                        .send(ByteBuffer.wrap(Body.of(exchange.getRequestPath()))))
                .build()
                .start();
    }
}
