package org.subflows;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.NetworkChannel;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLSocketFactory;

/**
 * Calls all functions with invalid arguments from several threads, for the given number of seconds,
 * while other threads close the sockets. Only the documented exceptions may be thrown.
 */
final class Abuse {
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
                    java.util.Arrays.asList(
                            client, server, plain, layered, new Socket(), wrapper, hollow, null);
            List<NetworkChannel> channels =
                    java.util.Arrays.asList(client.getChannel(), foreign, other, null);
            Thread closer = new Thread(() -> closeAll(client, plain));
            int when = random.nextInt(40);
            for (int step = 0; step < 40; step++) {
                if (step == when) {
                    closer.start();
                }
                int kind = random.nextInt(3);
                Socket socket = sockets.get(random.nextInt(sockets.size()));
                NetworkChannel channel = channels.get(random.nextInt(channels.size()));
                int fd = random.nextInt(64) - 2;
                int verb = random.nextInt(18);
                long id = IDS[random.nextInt(IDS.length)];
                Throwable thrown =
                        kind == 0
                                ? expect(() -> onSocket(verb, socket, id))
                                : kind == 1
                                        ? expect(() -> onChannel(verb, channel, id))
                                        : expect(() -> onNumber(verb, fd, id));
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
        void run() throws IOException;
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

    private static final OpenOptions BRIEF =
            OpenOptions.from(InetAddress.getLoopbackAddress()).timeout(Duration.ofMillis(2));

    private static void onSocket(int verb, Socket sock, long id) throws IOException {
        switch (verb) {
            case 0: Subflows.status(sock); break;
            case 1: Subflows.info(sock); break;
            case 2: Subflows.list(sock).toString(); break;
            case 3: Subflows.details(sock, id).toString(); break;
            case 4: Subflows.close(sock, id); break;
            case 5: Subflows.close(sock, id, true); break;
            case 6: Subflows.setBackup(sock, id, true); break;
            case 7: Subflows.addresses(sock).toString(); break;
            case 8: Subflows.open(sock, BRIEF); break;
            case 9: Subflows.upgrade(sock); break;
            case 10: Subflows.takeControl(sock); break;
            case 11: Subflows.events(sock).close(); break;
            case 12: Subflows.announce(sock, InetAddress.getLoopbackAddress()).close(); break;
            default: Subflows.connection(id); break;
        }
    }

    private static void onChannel(int verb, NetworkChannel sock, long id) throws IOException {
        switch (verb) {
            case 0: Subflows.status(sock); break;
            case 1: Subflows.info(sock); break;
            case 2: Subflows.list(sock).toString(); break;
            case 3: Subflows.details(sock, id).toString(); break;
            case 4: Subflows.close(sock, id); break;
            case 5: Subflows.close(sock, id, true); break;
            case 6: Subflows.setBackup(sock, id, true); break;
            case 7: Subflows.addresses(sock).toString(); break;
            case 8: Subflows.open(sock, BRIEF); break;
            case 9: Subflows.upgrade(sock); break;
            case 10: Subflows.takeControl(sock); break;
            case 11: Subflows.events(sock).close(); break;
            case 12: Subflows.announce(sock, InetAddress.getLoopbackAddress()).close(); break;
            default: Native.openingAdvance(id, sock); break;
        }
    }

    private static void onNumber(int verb, int fd, long id) throws IOException {
        switch (verb) {
            case 0: Subflows.status(fd); break;
            case 1: Subflows.info(fd); break;
            case 2: Subflows.list(fd).toString(); break;
            case 3: Subflows.details(fd, id).toString(); break;
            case 4: Subflows.close(fd, id); break;
            case 5: Subflows.setBackup(fd, id, true); break;
            case 6: Subflows.addresses(fd).toString(); break;
            case 7: Subflows.open(fd, BRIEF); break;
            case 8: Subflows.events(fd).close(); break;
            // Numbers that no handle has.
            case 9: Native.eventsPoll(id < 0 ? id : -5); break;
            case 10: Native.announcedId(id < 0 ? id : -5); break;
            case 11: Native.wake(-5, id); break;
            case 12: Native.closeHandle(-5); break;
            case 13: Native.waitEnd(-5, id); break;
            case 14: Native.waitBegin(-5); break;
            case 15: Native.openingFinish(-5, id, null); break;
            case 16: Native.connectingWait(-5, id); break;
            default: Native.eventsNext(-5, id, 1); break;
        }
    }
}
