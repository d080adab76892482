package org.subflows.benches;

import java.util.Locale;

/** The table of BENCHMARKS.md, as the other languages write theirs. */
final class Table {
    private final StringBuilder lines = new StringBuilder();

    Table(String where) {
        lines.append("\n| ").append(where).append(" | ours | compared with | ratio | bar | |\n");
        lines.append("|---|---|---|---|---|---|\n");
    }

    Table ratio(String name, double ours, double other) {
        return line(name, ours, other, "", "");
    }

    Table ratio(String name, double ours, double other, double bar) {
        String limit = String.format(Locale.ROOT, "≤ %.0f", bar);
        return line(name, ours, other, limit, verdict(ours / other <= bar));
    }

    /** The limit for the time that a call of this library may take in addition, in nanoseconds. */
    Table difference(String name, double ours, double other, double bar) {
        return line(name, ours, other, "≤ " + time(bar) + " more", verdict(ours - other <= bar));
    }

    private Table line(String name, double ours, double other, String bar, String verdict) {
        lines.append(
                String.format(
                        Locale.ROOT,
                        "| %s | %s | %s | %.2f | %s | %s |%n",
                        name,
                        time(ours),
                        time(other),
                        ours / other,
                        bar,
                        verdict));
        return this;
    }

    private static String time(double nanoseconds) {
        return nanoseconds < 1000
                ? String.format(Locale.ROOT, "%.0f ns", nanoseconds)
                : String.format(Locale.ROOT, "%.2f µs", nanoseconds / 1000);
    }

    private static String verdict(boolean holds) {
        return holds ? "holds" : "**missed**";
    }

    @Override
    public String toString() {
        return lines.toString();
    }
}
