package org.subflows.benches;

import java.io.IOException;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.subflows.Subflows;

/** Making and closing sockets: those of this library, and upgraded ones of the JDK's. */
public class Making {
    private static final int TIMES = 100;

    @Benchmark
    public void ourSocket() throws IOException {
        Subflows.socket().close();
    }

    @Benchmark
    public void upgradedSocket() throws IOException {
        try (Socket sock = new Socket()) {
            Subflows.upgrade(sock);
        }
    }

    @Benchmark
    public void upgradedChannel() throws IOException {
        try (SocketChannel channel = SocketChannel.open()) {
            Subflows.upgrade(channel);
        }
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void socketInC() {
        Baseline.check(Baseline.socket(TIMES));
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void upgradedInC() {
        Baseline.check(Baseline.upgrade(TIMES));
    }
}
