import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.zip.CRC32;

/**
 * A download by the JDK's HttpClient over two paths, which survives the loss of either. The program
 * does not mention paths: the agent opens them.
 *
 * <p>java -javaagent:subflows.jar=via=INTERFACE HttpDownload.java URL, with CAP_NET_ADMIN.
 * Prints the number of bytes received, and a checksum.
 */
public final class HttpDownload {
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length != 1) {
            throw new IllegalArgumentException("usage: HttpDownload URL");
        }
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
        HttpResponse<InputStream> response =
                HttpClient.newHttpClient()
                        .send(request, HttpResponse.BodyHandlers.ofInputStream());
        CRC32 checksum = new CRC32();
        long received = 0;
        try (InputStream in = response.body()) {
            byte[] buffer = new byte[64 * 1024];
            for (int length = in.read(buffer); length >= 0; length = in.read(buffer)) {
                received += length;
                checksum.update(buffer, 0, length);
            }
        }
        System.out.printf("%d bytes, checksum %08x%n", received, checksum.getValue());
    }
}
