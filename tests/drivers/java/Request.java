import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** One line of the runner: a verb, and the values by their keys. */
final class Request {
    private final String verb;
    private final Map<String, String> words = new HashMap<>();

    Request(String line) {
        String[] parts = line.split(" ");
        verb = parts[0];
        for (int index = 1; index < parts.length; index++) {
            String[] pair = parts[index].split("=", 2);
            if (pair.length != 2) {
                throw Fault.protocol("cannot parse the line: " + line);
            }
            // The protocol does not write a space as a plus.
            String value = pair[1].replace("+", "%2B");
            words.put(pair[0], URLDecoder.decode(value, StandardCharsets.UTF_8));
        }
    }

    String verb() {
        return verb;
    }

    Optional<String> maybe(String key) {
        return Optional.ofNullable(words.get(key));
    }

    String text(String key) {
        return maybe(key).orElseThrow(() -> Fault.protocol(verb + " requires " + key + "="));
    }

    long number(String key) {
        return Long.parseLong(text(key));
    }

    boolean is(String key, boolean standard) {
        return maybe(key).map(Boolean::parseBoolean).orElse(standard);
    }

    InetSocketAddress address(String key) throws UnknownHostException {
        String text = text(key);
        int colon = text.lastIndexOf(':');
        String host = text.substring(0, colon).replace("[", "").replace("]", "");
        return new InetSocketAddress(
                InetAddress.getByName(host), Integer.parseInt(text.substring(colon + 1)));
    }
}
