package org.subflows.benches;

import java.io.IOException;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.subflows.Subflows;

/** Making sockets, and closing them: those of the JDK, ours, and upgraded ones. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Making {
    private static final int TIMES = 1000;

    @Benchmark
    public boolean plainSocket() throws IOException {
        try (Socket sock = new Socket()) {
            // The first question to a socket makes its descriptor.
            return sock.getReuseAddress();
        }
    }

    @Benchmark
    public void ourSocket() throws IOException {
        try (Socket sock = Subflows.socket()) {
            // Closed again, and nothing else.
        }
    }

    @Benchmark
    public void upgradedSocket() throws IOException {
        try (Socket sock = new Socket()) {
            Subflows.upgrade(sock);
        }
    }

    @Benchmark
    public boolean plainChannel() throws IOException {
        try (SocketChannel channel = SocketChannel.open()) {
            return channel.isOpen();
        }
    }

    @Benchmark
    public boolean ourChannel() throws IOException {
        try (SocketChannel channel = Subflows.socketChannel()) {
            return channel.isOpen();
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
    public void tcpInC() {
        Baseline.check(Baseline.socket(Baseline.TCP, TIMES));
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void mptcpInC() {
        Baseline.check(Baseline.socket(Baseline.MPTCP, TIMES));
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void upgradedInC() {
        Baseline.check(Baseline.upgrade(TIMES));
    }
}
