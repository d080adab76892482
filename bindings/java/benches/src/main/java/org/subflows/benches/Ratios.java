package org.subflows.benches;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs the benchmarks, and writes their table to the file named by the argument. */
public final class Ratios {
    private static final int ROUNDS = 3;

    private final Map<String, List<Double>> taken = new HashMap<>();

    private Ratios() {}

    public static void main(String[] arguments) throws RunnerException, IOException {
        Ratios ratios = new Ratios();
        // Each of several short rounds measures all benchmarks, so that a disturbance affects all.
        for (int round = 0; round < ROUNDS; round++) {
            ratios.round();
        }
        String table = ratios.table();
        System.out.print(table);
        Files.writeString(Path.of(arguments[0]), table);
    }

    private void round() throws RunnerException {
        Options options =
                new OptionsBuilder()
                        .include("org.subflows.benches.")
                        .forks(1)
                        // Each call is measured by itself: the median is a call without interruption.
                        .mode(Mode.SampleTime)
                        .timeUnit(TimeUnit.NANOSECONDS)
                        .warmupIterations(4)
                        .warmupTime(TimeValue.milliseconds(250))
                        .measurementIterations(10)
                        .measurementTime(TimeValue.milliseconds(50))
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build();
        for (RunResult result : new Runner(options).run()) {
            String[] names = result.getParams().getBenchmark().split("\\.");
            List<Double> times =
                    taken.computeIfAbsent(names[names.length - 1], name -> new ArrayList<>());
            for (BenchmarkResult fork : result.getBenchmarkResults()) {
                for (IterationResult iteration : fork.getIterationResults()) {
                    times.add(iteration.getPrimaryResult().getStatistics().getPercentile(50));
                }
            }
        }
    }

    /** The median, in nanoseconds. */
    private double of(String benchmark) {
        List<Double> times = taken.get(benchmark);
        Collections.sort(times);
        return times.get(times.size() / 2);
    }

    private String table() {
        double info = of("infoInC");
        double made = of("socketInC");
        double number = of("infoOfNumber");
        String version = Integer.toString(Runtime.version().feature());
        return new Table("in Java " + version)
                .ratio("info of a Socket / `subflows_info` in C", of("infoOfSocket"), info, 3)
                .ratio("info of a SocketChannel / the same", of("infoOfChannel"), info, 3)
                .difference("info of a Socket / of a number", of("infoOfSocket"), number, 300)
                .difference("info of a SocketChannel / the same", of("infoOfChannel"), number, 300)
                .ratio("list of two / `subflows_list` in C", of("listOfSocket"), of("listInC"), 3)
                .ratio("the same, five fields of each read", of("listAndRead"), of("listInC"))
                .ratio("socket() and close / `socket` and `close` in C", of("ourSocket"), made, 15)
                .ratio("new Socket(), upgrade and close / the same", of("upgradedSocket"), made, 15)
                .ratio("SocketChannel.open(), upgrade and close / the same",
                        of("upgradedChannel"), made)
                .ratio("the same / with `subflows_upgrade` in C",
                        of("upgradedChannel"), of("upgradedInC"))
                .toString();
    }
}
