package org.subflows;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.Cleaner;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** What the native part keeps for an object of ours, until that is closed or forgotten. */
final class Handle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final long number;
    private final Cleaner.Cleanable cleanable;

    Handle(Object owner, long number) {
        this.number = number;
        this.cleanable = CLEANER.register(owner, () -> Native.forget(number));
    }

    long number() {
        return number;
    }

    @Override
    public void close() {
        cleanable.clean();
    }

    /** Waits for news, at most that long. An interrupt ends it at once, and stays to be seen. */
    void await(long nanos) throws IOException {
        Wait wait = new Wait(number);
        try {
            if (Virtual.isCurrent()) {
                awaitElsewhere(wait, nanos);
            } else {
                wait.await(nanos);
            }
        } finally {
            wait.forget();
        }
    }

    /** A virtual thread that waited in native code would keep its carrier from all others. */
    private static void awaitElsewhere(Wait wait, long nanos) throws IOException {
        Future<?> waiter =
                Virtual.WAITERS.submit(
                        () -> {
                            wait.awaitNews(nanos);
                            return null;
                        });
        try {
            waiter.get();
        } catch (InterruptedException interrupt) {
            wait.ring();
            Thread.currentThread().interrupt();
            throw interrupted();
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof IOException) {
                throw (IOException) failure.getCause();
            }
            throw new AssertionError(failure.getCause());
        }
    }

    private static InterruptedIOException interrupted() {
        return new InterruptedIOException("interrupted while waiting");
    }

    /**
     * One wait of one thread, which others that wait for the same do not share. It is a channel,
     * because those are told of an interrupt.
     */
    private static final class Wait extends AbstractInterruptibleChannel {
        private final long handle;
        private final long number;

        Wait(long handle) throws IOException {
            this.handle = handle;
            this.number = Native.waitingBegin(handle);
        }

        void awaitNews(long nanos) throws IOException {
            Native.awaitNews(handle, number, nanos);
        }

        void ring() {
            Native.ring(handle, number);
        }

        void forget() {
            Native.waitingEnd(handle, number);
        }

        @Override
        protected void implCloseChannel() {
            ring();
        }

        void await(long nanos) throws IOException {
            try {
                begin();
                try {
                    awaitNews(nanos);
                } finally {
                    end(true);
                }
            } catch (ClosedByInterruptException interrupt) {
                throw interrupted();
            }
        }
    }

    /** Virtual threads, where the JVM has them. */
    private static final class Virtual {
        private static final MethodHandle IS_VIRTUAL = find();
        static final ExecutorService WAITERS =
                Executors.newCachedThreadPool(
                        task -> {
                            Thread thread = new Thread(task, "subflows-wait");
                            thread.setDaemon(true);
                            return thread;
                        });

        private static MethodHandle find() {
            try {
                MethodType type = MethodType.methodType(boolean.class);
                return MethodHandles.publicLookup().findVirtual(Thread.class, "isVirtual", type);
            } catch (ReflectiveOperationException before21) {
                return null;
            }
        }

        static boolean isCurrent() {
            try {
                return IS_VIRTUAL != null && (boolean) IS_VIRTUAL.invokeExact(Thread.currentThread());
            } catch (Throwable impossible) {
                throw new AssertionError(impossible);
            }
        }
    }
}
