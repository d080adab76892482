import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.subflows.ConnectOptions;
import org.subflows.OpenOptions;
import org.subflows.Subflow;
import org.subflows.Subflows;

/** The first example of the README, with a server that sends a byte. */
final class First {
    public static void main(String[] arguments) throws IOException {
        try (ServerSocket server = Subflows.listen(new InetSocketAddress("127.0.0.1", 0))) {
            InetSocketAddress address = new InetSocketAddress("127.0.0.1", server.getLocalPort());
            Thread greeter = new Thread(() -> greet(server));
            greeter.setDaemon(true);
            greeter.start();
            // README: java
        }
    }

    private static void greet(ServerSocket server) {
        try (Socket client = server.accept()) {
            client.getOutputStream().write('!');
            client.getInputStream().read(); // keeps the connection open until the program ends
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
