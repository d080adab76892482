import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.zip.CRC32;
import org.subflows.ConnectOptions;
import org.subflows.OpenOptions;
import org.subflows.Subflow;
import org.subflows.Subflows;
import org.subflows.SubflowsException;

/**
 * A download that opens a second path after 1 MiB, and survives the loss of its first.
 *
 * <p>java -cp subflows.jar Download.java HOST PORT INTERFACE, with CAP_NET_ADMIN. Reads to the end
 * and prints a checksum.
 */
public final class Download {
    private static final long SECOND_PATH_AFTER = 1 << 20;

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 3) {
            throw new IllegalArgumentException("usage: Download HOST PORT INTERFACE");
        }
        InetSocketAddress server =
                new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        try (Socket socket = Subflows.connect(server, ConnectOptions.controlled())) {
            InputStream in = socket.getInputStream();
            CRC32 checksum = new CRC32();
            byte[] buffer = new byte[64 * 1024];
            long received = 0;
            boolean hasSecond = false;
            for (int length = in.read(buffer); length >= 0; length = in.read(buffer)) {
                received += length;
                checksum.update(buffer, 0, length);
                if (!hasSecond && received >= SECOND_PATH_AFTER) {
                    hasSecond = true;
                    openSecondPath(socket, arguments[2]);
                }
            }
            System.out.printf("%d bytes, checksum %08x%n", received, checksum.getValue());
        }
    }

    private static void openSecondPath(Socket socket, String networkInterface) throws IOException {
        try {
            Subflow path = Subflows.open(socket, OpenOptions.via(networkInterface));
            System.out.println("opened " + path.local().getAddress().getHostAddress());
        } catch (SubflowsException error) {
            // If the second path cannot be opened, the download goes on over the first.
            System.err.println(error.getMessage());
        }
    }
}
