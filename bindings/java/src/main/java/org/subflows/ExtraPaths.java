package org.subflows;

import java.util.List;

/** Opens further subflows of the connections that the agent's sockets make. */
final class ExtraPaths {
    private final long[][] paths;

    private ExtraPaths(List<OpenOptions> paths) {
        this.paths = paths.stream().map(OpenOptions::words).toArray(long[][]::new);
    }

    /** Does so from now on, as long as the JVM runs. */
    static void follow(List<OpenOptions> paths) {
        if (!paths.isEmpty()) {
            ExtraPaths extra = new ExtraPaths(paths);
            Thread thread = new Thread(null, extra::follow, "subflows-paths", 0, false);
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void follow() {
        try {
            Native.follow(paths, Warnings::log);
        } catch (SubflowsException over) {
            Warnings.log(over.getMessage());
        }
    }
}
