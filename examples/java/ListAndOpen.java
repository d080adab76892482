import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.subflows.ConnectOptions;
import org.subflows.OpenOptions;
import org.subflows.Subflow;
import org.subflows.Subflows;

/**
 * Connects, lists the paths, opens a second one over an interface, and closes it again.
 *
 * <p>java -cp subflows.jar ListAndOpen.java HOST PORT INTERFACE, with CAP_NET_ADMIN. The server must
 * send something.
 */
public final class ListAndOpen {
    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 3) {
            throw new IllegalArgumentException("usage: ListAndOpen HOST PORT INTERFACE");
        }
        InetSocketAddress server =
                new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        try (Socket socket = Subflows.connect(server, ConnectOptions.controlled())) {
            // A connection accepts further subflows after the first byte has arrived.
            socket.getInputStream().read();

            Subflow extra = Subflows.open(socket, OpenOptions.via(arguments[2]));
            for (Subflow path : Subflows.list(socket)) {
                System.out.println(
                        path.id() + " " + path.local() + " -> " + path.remote() + " " + path.rtt());
            }
            Subflows.close(socket, extra.id());
            System.out.println(Subflows.list(socket).size() + " left");
        }
    }
}
