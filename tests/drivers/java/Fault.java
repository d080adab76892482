import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.nio.channels.NotYetConnectedException;
import java.util.Map;
import org.subflows.SubflowsException;

/** An error, as the protocol writes it. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Java reports an error of the system only by its text. */
    private static final Map<String, Integer> NUMBERS =
            Map.of(
                    "Connection refused", 111,
                    "Connection timed out", 110,
                    "Network is unreachable", 101,
                    "Connection reset", 104,
                    "Connection reset by peer", 104,
                    "Broken pipe", 32,
                    "Address already in use", 98,
                    "Cannot assign requested address", 99);

    private final String remedy;

    private Fault(String kind, int errno, String remedy) {
        super("err " + kind + " " + errno);
        this.remedy = remedy;
    }

    /** A request that the driver does not understand. The reason goes to standard error. */
    static Fault protocol(String text) {
        System.err.println(text);
        return new Fault("Protocol", 0, "");
    }

    /** A request that Java cannot express. */
    static Fault notOffered(String text) {
        System.err.println(text);
        return new Fault("NotOffered", 0, "");
    }

    static Fault of(Exception thrown) {
        if (thrown instanceof Fault fault) {
            return fault;
        }
        thrown.printStackTrace();
        if (thrown instanceof SubflowsException error) {
            String kind = Answer.camel(error.kind().name());
            return new Fault(kind, error.errno().orElse(0), error.remedy());
        }
        if (thrown instanceof RuntimeException && !(thrown instanceof NotYetConnectedException)) {
            return new Fault("Protocol", 0, "");
        }
        return new Fault("Os", number(thrown), "");
    }

    private static int number(Exception thrown) {
        if (thrown instanceof NotYetConnectedException) {
            return 107;
        }
        if (thrown instanceof NoRouteToHostException) {
            return 113;
        }
        if (thrown instanceof SocketTimeoutException) {
            return 110;
        }
        int standard = thrown instanceof ConnectException ? 111 : 0;
        return NUMBERS.getOrDefault(String.valueOf(thrown.getMessage()), standard);
    }

    String remedy() {
        return remedy;
    }
}
