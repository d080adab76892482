import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.subflows.Subflows;

/** Runs the programs of the README, with a small and a large answer. */
final class Try {
    public static void main(String[] arguments) throws Exception {
        for (int length : new int[] {5, 30_000_000}) {
            String bytes = String.valueOf(length);
            int port = freePort();
            start(() -> Serve.main(new String[] {String.valueOf(port), bytes}));
            awaitListener(port);
            System.out.println("-- Download " + bytes);
            Download.main(new String[] {"127.0.0.1", String.valueOf(port), "lo"});
            System.out.println("-- Watch " + bytes);
            Watch.main(new String[] {"127.0.0.1", String.valueOf(port)});
        }
        System.exit(0);
    }

    private interface Program {
        void run() throws IOException;
    }

    private static void start(Program program) {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                program.run();
                            } catch (IOException error) {
                                throw new UncheckedIOException(error);
                            }
                        });
        thread.setDaemon(true);
        thread.start();
    }

    private static int freePort() throws IOException {
        try (ServerSocket listener = new ServerSocket(0)) {
            return listener.getLocalPort();
        }
    }

    /** Ends when the server accepts, which costs it one client. */
    private static void awaitListener(int port) throws IOException {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (true) {
            try (Socket client = Subflows.connect(address)) {
                client.getInputStream().readAllBytes();
                return;
            } catch (IOException refused) {
                if (System.nanoTime() > deadline) {
                    throw refused;
                }
                Thread.onSpinWait();
            }
        }
    }
}
