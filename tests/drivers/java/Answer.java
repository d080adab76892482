import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.subflows.Details;
import org.subflows.Info;

/** One line of ours, and the records in it by the names that core gives their fields. */
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

    /** Core writes FinWait1 where Java has FIN_WAIT1. */
    static String camel(String name) {
        StringBuilder camel = new StringBuilder();
        for (String word : name.split("_")) {
            camel.append(word.charAt(0)).append(word.substring(1).toLowerCase());
        }
        return camel.toString();
    }

    /** What a record tells; what is absent is not said. */
    static Map<String, Object> record(Map<String, Object> record) {
        Map<String, Object> fields = new LinkedHashMap<>();
        add(fields, "", record);
        return fields;
    }

    /** How many there are, then the fields of each behind its number. */
    static Map<String, Object> list(List<Map<String, Object>> records) {
        Map<String, Object> fields = new LinkedHashMap<>();
        addList(fields, "", records);
        return fields;
    }

    private static void add(Map<String, Object> fields, String before, Map<String, Object> record) {
        record.forEach(
                (name, value) -> {
                    Object there = present(value);
                    if (there instanceof Duration) {
                        // Core counts in the unit that the name ends with.
                        boolean isMillis = name.startsWith("last");
                        long nanos = ((Duration) there).toNanos();
                        String unit = isMillis ? "_ms" : "_us";
                        fields.put(before + snake(name) + unit, nanos / (isMillis ? 1_000_000 : 1_000));
                    } else if (there instanceof Info) {
                        add(fields, before + snake(name) + ".", ((Info) there).toMap());
                    } else if (there instanceof List) {
                        List<Map<String, Object>> items = new ArrayList<>();
                        ((List<?>) there).forEach(item -> items.add(((Details) item).toMap()));
                        addList(fields, before + snake(name) + ".", items);
                    } else if (there != null) {
                        fields.put(before + snake(name), there);
                    }
                });
    }

    private static void addList(
            Map<String, Object> fields, String before, List<Map<String, Object>> records) {
        fields.put(before + "count", records.size());
        for (int index = 0; index < records.size(); index++) {
            add(fields, before + index + ".", records.get(index));
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
