package org.subflows;

import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Opens further subflows of the connections that this process makes, once they take them. */
final class ExtraPaths {
    /** So many connections may wait for an answer of the other end, and so many more for a turn. */
    private static final int AT_ONCE = 16;

    private static final int WAITING = 4096;

    /** The connection is over already, or was made by native code or before the agent came. */
    private static final Set<ErrorKind> BESIDE_THE_POINT =
            EnumSet.of(ErrorKind.CLOSED, ErrorKind.NOT_CONNECTED, ErrorKind.NOT_CONTROLLED);

    private final List<OpenOptions> paths;
    private final Events events;
    private final Set<String> told = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor openers;

    private ExtraPaths(List<OpenOptions> paths) throws SubflowsException {
        this.paths = paths;
        this.events = Events.ofNamespace();
        ThreadFactory threads = task -> daemon(task, "subflows-open");
        this.openers =
                new ThreadPoolExecutor(
                        AT_ONCE,
                        AT_ONCE,
                        10,
                        TimeUnit.SECONDS,
                        new ArrayBlockingQueue<>(WAITING),
                        threads,
                        (task, full) -> tell("full", "too many connections wait for further subflows"));
        openers.allowCoreThreadTimeOut(true);
    }

    /** From now on, as long as the JVM runs. */
    static void follow(List<OpenOptions> paths) throws SubflowsException {
        if (!paths.isEmpty()) {
            ExtraPaths extra = new ExtraPaths(paths);
            daemon(extra::follow, "subflows-paths").start();
        }
    }

    private static Thread daemon(Runnable task, String name) {
        Thread thread = new Thread(null, task, name, 0, false);
        thread.setDaemon(true);
        return thread;
    }

    private void follow() {
        try {
            for (; ; ) {
                Event event = events.take();
                if (event.kind() == EventKind.ESTABLISHED && !event.isServer()) {
                    int token = (int) event.token().getAsLong();
                    // Each on its own: one that answers nothing keeps no other waiting.
                    paths.forEach(path -> openers.execute(() -> open(token, path)));
                }
            }
        } catch (IOException over) {
            tell("over", over.getMessage());
        }
    }

    private void open(int token, OpenOptions path) {
        try {
            Opening.openOf(token, path.words());
        } catch (SubflowsException error) {
            if (!BESIDE_THE_POINT.contains(error.kind())) {
                tell(path + " " + error.kind(), error.getMessage());
            }
        } catch (IOException error) {
            tell(path.toString(), error.getMessage());
        }
    }

    /** Of each thing only the first: a path that is missing is missing for every connection. */
    private void tell(String thing, String what) {
        if (told.add(thing)) {
            System.getLogger("org.subflows").log(System.Logger.Level.WARNING, what);
        }
    }
}
