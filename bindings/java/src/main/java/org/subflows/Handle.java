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
        if (Virtual.isCurrent()) {
            awaitElsewhere(nanos);
        } else {
            new Wait(number).await(nanos);
        }
    }

    /** A virtual thread that waited in native code would keep its carrier from all others. */
    private void awaitElsewhere(long nanos) throws IOException {
        Future<?> wait =
                Virtual.WAITERS.submit(
                        () -> {
                            Native.awaitNews(number, nanos);
                            return null;
                        });
        try {
            wait.get();
        } catch (InterruptedException interrupt) {
            Native.ring(number);
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

    /** One wait. It is a channel, because those are told of an interrupt. */
    private static final class Wait extends AbstractInterruptibleChannel {
        private final long number;

        Wait(long number) {
            this.number = number;
        }

        @Override
        protected void implCloseChannel() {
            Native.ring(number);
        }

        void await(long nanos) throws IOException {
            try {
                begin();
                try {
                    Native.awaitNews(number, nanos);
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
