import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import org.subflows.ConnectOptions;
import org.subflows.Subflows;

/**
 * Reports whether a server, and every middlebox on the way to it, supports Multipath TCP.
 *
 * <p>java -cp subflows.jar FallbackReport.java HOST PORT. The server must send something. Requires
 * no privilege.
 */
public final class FallbackReport {
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 2) {
            throw new IllegalArgumentException("usage: FallbackReport HOST PORT");
        }
        InetSocketAddress server =
                new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        ConnectOptions options = ConnectOptions.defaults().timeout(Duration.ofSeconds(10));
        try (Socket socket = Subflows.connect(server, options)) {
            System.out.println("after the handshake: " + verdict(socket));

            // Some middleboxes strip the options of data segments only: ask again.
            socket.getInputStream().read();
            System.out.println("after the first byte: " + verdict(socket));
        }
    }

    private static String verdict(Socket socket) throws IOException {
        switch (Subflows.status(socket).state()) {
            case MPTCP:
                return "Multipath TCP";
            case FELL_BACK:
                return "plain TCP: the server or a middlebox does not speak Multipath TCP";
            case TCP:
                return "plain TCP: this kernel has no Multipath TCP, or it is switched off";
            default:
                return "the connection is closed";
        }
    }
}
