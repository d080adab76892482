import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.subflows.State;
import org.subflows.Subflow;
import org.subflows.Subflows;

/**
 * A server that reports its clients' paths: one line for each path, when a client has sent a byte.
 *
 * <p>java -cp subflows.jar ServerReport.java ADDRESS PORT CLIENTS serves that many clients and ends.
 * Requires no privilege.
 */
public final class ServerReport {
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 3) {
            throw new IllegalArgumentException("usage: ServerReport ADDRESS PORT CLIENTS");
        }
        InetSocketAddress at = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        try (ServerSocket server = Subflows.listen(at)) {
            System.out.println("listening on " + arguments[0] + ":" + server.getLocalPort());
            for (int left = Integer.parseInt(arguments[2]); left > 0; left--) {
                try (Socket client = server.accept()) {
                    client.getOutputStream().write("hello\n".getBytes(StandardCharsets.UTF_8));
                    client.getInputStream().read();
                    report(client);
                }
            }
        }
    }

    private static void report(Socket client) throws IOException {
        String peer = client.getRemoteSocketAddress().toString();
        State state = Subflows.status(client).state();
        if (state != State.MPTCP) {
            System.out.println(peer + ": one path only (" + state + ")");
            return;
        }
        for (Subflow path : Subflows.list(client)) {
            boolean isBackup = Subflows.details(client, path.id()).isRemoteBackup();
            System.out.println(
                    peer + ": " + path.local() + " <- " + path.remote() + (isBackup ? ", backup" : ""));
        }
    }
}
