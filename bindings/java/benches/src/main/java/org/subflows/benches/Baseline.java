package org.subflows.benches;

/** The baseline of the benchmarks: loops in C, see {@code baseline.c}. */
final class Baseline {
    static {
        System.load(System.getProperty("org.subflows.benches.baseline"));
    }

    private Baseline() {}

    static native int info(int fd, int times);

    static native int list(int fd, int times);

    /** {@code socket} and {@code close}, of TCP. */
    static native int socket(int times);

    /** {@code socket}, {@code subflows_upgrade} and {@code close}. */
    static native int upgrade(int times);

    /** Throws if the loop has failed, and so has measured nothing. */
    static void check(int result) {
        if (result != 0) {
            throw new AssertionError("the C library's call failed: the figure would mean nothing");
        }
    }
}
