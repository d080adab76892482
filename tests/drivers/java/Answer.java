import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;
import org.subflows.Details;
import org.subflows.Info;

/** Answers: one line, with the fields of records under core's names. */
final class Answer {
    private Answer() {}

    static String of(Map<String, Object> fields) {
        StringBuilder line = new StringBuilder("ok");
        fields.forEach((name, value) -> line.append(' ').append(name).append('=').append(word(value)));
        return line.toString();
    }

    private static String word(Object value) {
        StringBuilder word = new StringBuilder();
        for (char c : text(value).toCharArray()) {
            if (c <= ' ' || c == '%' || c == 127) {
                word.append(String.format("%%%02X", (int) c));
            } else {
                word.append(c);
            }
        }
        return word.toString();
    }

    private static String text(Object value) {
        if (value instanceof InetSocketAddress) {
            InetSocketAddress address = (InetSocketAddress) value;
            String host = text(address.getAddress());
            boolean isV6 = address.getAddress() instanceof Inet6Address;
            return (isV6 ? "[" + host + "]" : host) + ":" + address.getPort();
        }
        if (value instanceof InetAddress) {
            return ((InetAddress) value).getHostAddress().split("%")[0];
        }
        if (value instanceof Enum) {
            return camel(((Enum<?>) value).name());
        }
        return value instanceof Long ? Long.toUnsignedString((Long) value) : value.toString();
    }

    /** The runner expects core's names: FinWait1 for FIN_WAIT1. */
    static String camel(String name) {
        StringBuilder camel = new StringBuilder();
        for (String word : name.split("_")) {
            camel.append(word.charAt(0)).append(word.substring(1).toLowerCase());
        }
        return camel.toString();
    }

    /** The fields of a record, without the absent ones. */
    static Map<String, Object> record(Map<String, Object> record) {
        Map<String, Object> fields = new LinkedHashMap<>();
        add(fields, "", record);
        return fields;
    }

    /** The number of records, then the fields of each after its index. */
    static <T> Map<String, Object> list(List<T> records, Function<T, Map<String, Object>> toMap) {
        Map<String, Object> fields = new LinkedHashMap<>();
        addList(fields, "", records, toMap);
        return fields;
    }

    private static void add(Map<String, Object> fields, String prefix, Map<String, Object> record) {
        record.forEach(
                (name, value) -> {
                    Object found = present(value);
                    if (found instanceof Duration) {
                        // Core's names end with the unit in which it counts.
                        boolean isMillis = name.matches("last.*|unanswered|userTimeout");
                        long nanos = ((Duration) found).toNanos();
                        String unit = isMillis ? "_ms" : "_us";
                        fields.put(prefix + snake(name) + unit, nanos / (isMillis ? 1_000_000 : 1_000));
                    } else if (found instanceof Info) {
                        add(fields, prefix + snake(name) + ".", ((Info) found).toMap());
                    } else if (found instanceof List) {
                        // Connection is the only record with a list.
                        addList(
                                fields,
                                prefix + snake(name) + ".",
                                (List<?>) found,
                                item -> ((Details) item).toMap());
                    } else if (found != null) {
                        fields.put(prefix + snake(name), found);
                    }
                });
    }

    private static <T> void addList(
            Map<String, Object> fields,
            String prefix,
            List<T> records,
            Function<T, Map<String, Object>> toMap) {
        fields.put(prefix + "count", records.size());
        for (int index = 0; index < records.size(); index++) {
            add(fields, prefix + index + ".", toMap.apply(records.get(index)));
        }
    }

    private static Object present(Object value) {
        if (value instanceof OptionalInt) {
            OptionalInt number = (OptionalInt) value;
            return number.isPresent() ? (Object) number.getAsInt() : null;
        }
        if (value instanceof OptionalLong) {
            OptionalLong number = (OptionalLong) value;
            return number.isPresent() ? (Object) number.getAsLong() : null;
        }
        return value instanceof Optional ? ((Optional<?>) value).orElse(null) : value;
    }

    private static String snake(String name) {
        return name.equals("networkInterface")
                ? "interface"
                : name.replaceAll("([A-Z])", "_$1").toLowerCase();
    }
}
