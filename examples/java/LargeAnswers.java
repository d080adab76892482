import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import org.subflows.ErrorKind;
import org.subflows.Event;
import org.subflows.EventKind;
import org.subflows.Events;
import org.subflows.OpenOptions;
import org.subflows.Subflow;
import org.subflows.Subflows;
import org.subflows.SubflowsException;

/**
 * A server that opens a second path for large answers, and closes it after them.
 *
 * <p>java -cp subflows.jar LargeAnswers.java ADDRESS PORT INTERFACE CLIENTS serves that many
 * clients and ends. A client sends lines with a number of bytes, and the server answers with as many
 * bytes. The second path leads over the interface to an address that the client has announced with a
 * port: without an announced port, the client does not listen there. For a client behind a NAT, the
 * server would announce its own address instead, and the client would open the path.
 *
 * <p>Requires CAP_NET_ADMIN, and {@code sysctl net.mptcp.path_manager=userspace}, so that this
 * program controls the connections that it accepts.
 */
public final class LargeAnswers {
    private static final int LARGE = 1 << 20;

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 4) {
            throw new IllegalArgumentException(
                    "usage: LargeAnswers ADDRESS PORT INTERFACE CLIENTS");
        }
        InetSocketAddress at = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        try (ServerSocket server = Subflows.listen(at)) {
            System.out.println("listening on " + arguments[0] + ":" + server.getLocalPort());
            for (int left = Integer.parseInt(arguments[3]); left > 0; left--) {
                try (Socket client = server.accept();
                        Events events = eventsOf(client)) {
                    serve(client, events, arguments[2]);
                }
            }
        }
    }

    /** Null if the client speaks plain TCP: it has one path, and announces no address. */
    private static Events eventsOf(Socket client) throws SubflowsException {
        try {
            return Subflows.events(client);
        } catch (SubflowsException error) {
            if (error.kind() == ErrorKind.NOT_MPTCP) {
                return null;
            }
            throw error;
        }
    }

    private static void serve(Socket client, Events events, String networkInterface)
            throws IOException {
        BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII));
        Optional<InetSocketAddress> announced = Optional.empty();
        Optional<Subflow> extra = Optional.empty();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            int size = Integer.parseInt(line);
            if (extra.isPresent()) {
                // A client that asks again has the whole answer: no data is in flight on this path.
                Subflows.close(client, extra.get().id());
                extra = Optional.empty();
            }
            Optional<InetSocketAddress> latest =
                    events == null ? Optional.empty() : lastAnnounced(events);
            announced = latest.isPresent() ? latest : announced;
            if (size >= LARGE && announced.isPresent()) {
                extra = secondPath(client, networkInterface, announced.get());
            }
            client.getOutputStream().write(answer(size));
            System.out.println(
                    size + " bytes over " + (extra.isPresent() ? "two paths" : "one path"));
        }
    }

    /** The last address that the client has announced since the last call. */
    private static Optional<InetSocketAddress> lastAnnounced(Events events) throws IOException {
        Optional<InetSocketAddress> last = Optional.empty();
        for (Optional<Event> event = events.poll(); event.isPresent(); event = events.poll()) {
            if (event.get().kind() == EventKind.ADDRESS_ANNOUNCED) {
                last = event.get().remote();
            }
        }
        return last;
    }

    private static Optional<Subflow> secondPath(
            Socket client, String networkInterface, InetSocketAddress remote) throws IOException {
        OpenOptions options = OpenOptions.via(networkInterface).remote(remote);
        try {
            return Optional.of(Subflows.open(client, options.timeout(Duration.ofSeconds(1))));
        } catch (SubflowsException error) {
            // Without a second path the answer goes over the first.
            System.err.println(error.getMessage());
            return Optional.empty();
        }
    }

    private static byte[] answer(int size) {
        byte[] bytes = new byte[size];
        for (int index = 0; index < size; index++) {
            bytes[index] = (byte) index;
        }
        return bytes;
    }
}
