package org.subflows;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.NetworkChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocketFactory;

/**
 * Calls all functions with invalid arguments from several threads, for the given number of seconds,
 * while other threads close the sockets. Only the documented exceptions may be thrown.
 */
final class Abuse {
    private static final SubflowOption[] OPTIONS = SubflowOption.values();
    private static final long[] IDS = {0, 1, 2, 3, -1, 255, 256, 1L << 32, Long.MIN_VALUE};

    private Abuse() {}

    public static void main(String[] arguments) throws Exception {
        long seconds = Long.parseLong(arguments[0]);
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        Thread[] threads = new Thread[4];
        Throwable[] unexpected = new Throwable[threads.length];
        for (int index = 0; index < threads.length; index++) {
            int number = index;
            threads[index] =
                    new Thread(
                            () -> {
                                Random random = new Random(seed + number);
                                while (System.nanoTime() < end && unexpected[number] == null) {
                                    unexpected[number] = round(random);
                                }
                            });
            threads[index].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (Throwable thrown : unexpected) {
            if (thrown != null) {
                throw new AssertionError("seed " + seed, thrown);
            }
        }
    }

    /** Uses and closes one connection at once, and returns the first unexpected exception. */
    @SuppressWarnings("try")
    private static Throwable round(Random random) {
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress("127.0.0.1", 0));
                Socket client = Subflows.connect((InetSocketAddress) listener.getLocalSocketAddress());
                Socket server = listener.accept();
                Socket plain = new Socket(listener.getInetAddress(), listener.getLocalPort());
                DatagramChannel foreign = DatagramChannel.open();
                AsynchronousSocketChannel other = AsynchronousSocketChannel.open();
                FileInputStream file = new FileInputStream(new File("/proc/self/maps"))) {
            SSLSocketFactory tls = (SSLSocketFactory) SSLSocketFactory.getDefault();
            Socket layered = tls.createSocket(plain, "localhost", 1, false);
            Socket wrapper = new ArgumentTest.Wrapper(random.nextBoolean() ? client : plain);
            Socket hollow = new ArgumentTest.Wrapper(null, plain);
            List<Socket> sockets =
                    Arrays.asList(
                            client, server, plain, layered, new Socket(), wrapper, hollow, null);
            List<NetworkChannel> channels =
                    Arrays.asList(client.getChannel(), foreign, other, null);
            Thread closer = new Thread(() -> closeAll(client, plain));
            int when = random.nextInt(40);
            for (int step = 0; step < 40; step++) {
                if (step == when) {
                    closer.start();
                }
                Socket socket = sockets.get(random.nextInt(sockets.size()));
                NetworkChannel channel = channels.get(random.nextInt(channels.size()));
                int fd = random.nextInt(64) - 2;
                long id = IDS[random.nextInt(IDS.length)];
                int handle = random.nextInt(30);
                Method verb = VERBS.get(random.nextInt(VERBS.size()));
                Map<Class<?>, Object> given = new HashMap<>(ALWAYS);
                given.put(Socket.class, socket);
                given.put(ServerSocket.class, listener);
                given.put(InetSocketAddress.class, listener.getLocalSocketAddress());
                given.put(NetworkChannel.class, channel);
                given.put(int.class, fd);
                given.put(long.class, id);
                given.put(SubflowOption.class, OPTIONS[random.nextInt(OPTIONS.length)]);
                given.put(OptionValue.class, OptionValue.of(id));
                Throwable thrown =
                        handle < 10
                                ? expect(() -> onHandle(handle, channel, id))
                                : expect(() -> call(verb, given));
                if (thrown != null) {
                    return thrown;
                }
            }
            closer.join();
            return null;
        } catch (IOException tooMany) {
            return null;
        } catch (InterruptedException impossible) {
            return impossible;
        }
    }

    private static void closeAll(Socket... sockets) {
        try {
            for (Socket socket : sockets) {
                socket.close();
            }
        } catch (IOException alreadyReset) {
            // The socket is closed nevertheless.
        }
    }

    interface Call {
        void run() throws Throwable;
    }

    private static Throwable expect(Call call) {
        try {
            call.run();
            return null;
        } catch (SubflowsException | NullPointerException | java.nio.channels.ClosedChannelException e) {
            return null;
        } catch (Throwable thrown) {
            return thrown;
        }
    }

    /** What is passed for parameters of all other types. */
    private static final Map<Class<?>, Object> ALWAYS =
            Map.of(
                    boolean.class, true,
                    InetAddress.class, InetAddress.getLoopbackAddress(),
                    OpenOptions.class,
                            OpenOptions.from(InetAddress.getLoopbackAddress())
                                    .timeout(Duration.ofMillis(2)),
                    AnnounceOptions.class, AnnounceOptions.defaults(),
                    ConnectionsOptions.class, ConnectionsOptions.defaults(),
                    AddEndpointOptions.class, AddEndpointOptions.defaults(),
                    DoctorOptions.class, DoctorOptions.defaults(),
                    ProbeOptions.class, ProbeOptions.defaults().timeout(Duration.ofMillis(2)),
                    // A setting whose every value is harmless here.
                    String.class, "stale_loss_cnt");

    /** All but those that wait as long as they usually do. */
    private static final List<Method> VERBS =
            Stream.of(Verbs.class.getMethods())
                    .filter(verb -> Modifier.isStatic(verb.getModifiers()))
                    .filter(verb -> verb.getParameterCount() > 1 || !verb.getName().equals("open"))
                    .collect(Collectors.toList());

    /** Calls a verb, with what is given for the types of its parameters. */
    private static void call(Method verb, Map<Class<?>, Object> given) throws Throwable {
        for (Class<?> type : verb.getParameterTypes()) {
            if (!given.containsKey(type)) {
                throw new AssertionError("nothing is given for " + type);
            }
        }
        try {
            Object result =
                    verb.invoke(null, Stream.of(verb.getParameterTypes()).map(given::get).toArray());
            String.valueOf(result);
            if (result instanceof AutoCloseable) {
                ((AutoCloseable) result).close();
            }
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    /** Calls a native function with a number that no handle has. */
    private static void onHandle(int function, NetworkChannel sock, long id) throws IOException {
        switch (function) {
            case 0: Native.eventsPoll(id < 0 ? id : -5); break;
            case 1: Native.announcedId(id < 0 ? id : -5); break;
            case 2: Native.wake(-5, id); break;
            case 3: Native.closeHandle(-5); break;
            case 4: Native.waitEnd(-5, id); break;
            case 5: Native.waitBegin(-5); break;
            case 6: Native.awaitResult(-5, id, null); break;
            case 7: Native.awaitResult(-5, id, sock); break;
            case 8: Native.advance(id, sock); break;
            default: Native.eventsNext(-5, id, 1); break;
        }
    }
}
