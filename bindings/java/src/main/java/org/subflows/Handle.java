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

/** A value that the native part keeps until its owner is closed or unreachable. */
final class Handle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final long number;
    private final Cleaner.Cleanable cleanable;

    Handle(Object owner, long number) {
        this.number = number;
        this.cleanable = CLEANER.register(owner, () -> Native.closeHandle(number));
    }

    long number() {
        return number;
    }

    /**
     * Returns the result, or null if there is none yet. Never waits. Fails if the socket is closed,
     * unless it is null.
     */
    long[] advance(Object sock) throws IOException {
        return Native.advance(number, sock);
    }

    /** Waits for the result. Fails if the socket is closed, unless it is null. */
    long[] finish(Object sock) throws IOException {
        return await(wait -> Native.awaitResult(number, wait, sock));
    }

    @Override
    public void close() {
        cleanable.clean();
    }

    /** A native function that waits. Returns null if the wait is woken. */
    interface Waiting<T> {
        T call(long wait) throws IOException;
    }

    /**
     * Calls a native function that waits for this handle. An interrupt ends the call at once, and the
     * thread stays interrupted.
     */
    <T> T await(Waiting<T> function) throws IOException {
        Wait wait = new Wait(number);
        try {
            return Virtual.isCurrent() ? wait.callElsewhere(function) : wait.call(function);
        } finally {
            wait.release();
        }
    }

    /**
     * One wait of one thread, which is not shared with other waits for the same handle. It is a
     * channel, because the JDK closes a channel when its thread is interrupted.
     */
    private static final class Wait extends AbstractInterruptibleChannel {
        private final long handle;
        private final long number;

        Wait(long handle) throws IOException {
            this.handle = handle;
            this.number = Native.waitBegin(handle);
        }

        void release() {
            Native.waitEnd(handle, number);
        }

        @Override
        protected void implCloseChannel() {
            Native.wake(handle, number);
        }

        <T> T call(Waiting<T> function) throws IOException {
            T result = null;
            try {
                begin();
                try {
                    result = function.call(number);
                } finally {
                    end(true);
                }
            } catch (ClosedByInterruptException interrupt) {
                return unlessInterrupted(result);
            }
            return result;
        }

        /** On another thread: in native code, a virtual thread would block its carrier. */
        <T> T callElsewhere(Waiting<T> function) throws IOException {
            Future<T> future = Virtual.WAITERS.submit(() -> function.call(number));
            boolean isInterrupted = false;
            try {
                while (true) {
                    try {
                        T result = future.get();
                        return isInterrupted ? unlessInterrupted(result) : result;
                    } catch (InterruptedException interrupt) {
                        isInterrupted = true;
                        implCloseChannel();
                    }
                }
            } catch (ExecutionException failure) {
                if (failure.getCause() instanceof IOException) {
                    throw (IOException) failure.getCause();
                }
                throw new AssertionError(failure.getCause());
            } finally {
                if (isInterrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        /** A result that came before the interrupt must not be lost. */
        private static <T> T unlessInterrupted(T result) throws InterruptedIOException {
            if (result == null) {
                throw new InterruptedIOException("interrupted while waiting");
            }
            return result;
        }
    }

    /** Virtual threads, if the JVM has them. */
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
