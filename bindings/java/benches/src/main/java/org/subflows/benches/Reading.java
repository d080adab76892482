package org.subflows.benches;

import java.io.IOException;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.infra.Blackhole;
import org.subflows.Info;
import org.subflows.Subflow;
import org.subflows.Subflows;

/** Reading about a connection with two subflows. */
public class Reading {
    private static final int TIMES = 1000;

    @Benchmark
    public Info infoOfNumber(Connected it) throws IOException {
        return Subflows.info(it.number);
    }

    @Benchmark
    public Info infoOfSocket(Connected it) throws IOException {
        return Subflows.info(it.socket);
    }

    @Benchmark
    public Info infoOfChannel(Connected it) throws IOException {
        return Subflows.info(it.channel);
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void infoInC(Connected it) {
        Baseline.check(Baseline.info(it.number, TIMES));
    }

    @Benchmark
    public List<Subflow> listOfSocket(Connected it) throws IOException {
        return Subflows.list(it.socket);
    }

    @Benchmark
    public void listAndRead(Connected it, Blackhole read) throws IOException {
        for (Subflow path : Subflows.list(it.socket)) {
            read.consume(path.id());
            read.consume(path.local());
            read.consume(path.remote());
            read.consume(path.state());
            read.consume(path.rtt());
        }
    }

    @Benchmark
    @OperationsPerInvocation(TIMES)
    public void listInC(Connected it) {
        Baseline.check(Baseline.list(it.number, TIMES));
    }
}
