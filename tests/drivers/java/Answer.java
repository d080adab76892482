import java.io.IOException;
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
import org.subflows.Subflows;

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
        if (value instanceof InetSocketAddress address) {
            String host = text(address.getAddress());
            boolean isV6 = address.getAddress() instanceof Inet6Address;
            return (isV6 ? "[" + host + "]" : host) + ":" + address.getPort();
        }
        if (value instanceof InetAddress address) {
            return address.getHostAddress().split("%")[0];
        }
        if (value instanceof Enum<?> constant) {
            return camel(constant.name());
        }
        return value instanceof Long number ? Long.toUnsignedString(number) : value.toString();
    }

    /** The runner expects core's names: FinWait1 for FIN_WAIT1. */
    static String camel(String name) {
        StringBuilder camel = new StringBuilder();
        for (String word : name.split("_")) {
            camel.append(word.charAt(0)).append(word.substring(1).toLowerCase());
        }
        return camel.toString();
    }

    /** The fields of a record, without the absent ones; none for null. */
    static Map<String, Object> record(Object record) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (record != null) {
            add(fields, "", record);
        }
        return fields;
    }

    /** The number of records, then the fields of each after its index. */
    static Map<String, Object> list(List<?> records) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        addList(fields, "", records);
        return fields;
    }

    private static void add(Map<String, Object> fields, String prefix, Object record)
            throws IOException {
        for (Map.Entry<String, ?> field : toMap(record).entrySet()) {
            Object found = present(field.getValue());
            String name = prefix + snake(field.getKey());
            if (found instanceof Duration duration) {
                // Core's names end with the unit in which it counts.
                boolean isMillis = field.getKey().matches("last.*|unanswered|userTimeout");
                long nanos = duration.toNanos();
                fields.put(
                        name + (isMillis ? "_ms" : "_us"), nanos / (isMillis ? 1_000_000 : 1_000));
            } else if (found instanceof List<?> list) {
                addList(fields, name + ".", list);
            } else if (found != null && isRecord(found)) {
                add(fields, name + ".", found);
            } else if (found != null) {
                fields.put(name, found);
            }
        }
    }

    private static void addList(Map<String, Object> fields, String prefix, List<?> records)
            throws IOException {
        fields.put(prefix + "count", records.size());
        for (int index = 0; index < records.size(); index++) {
            add(fields, prefix + index + ".", records.get(index));
        }
    }

    private static boolean isRecord(Object value) {
        return value.getClass().getPackage() == Subflows.class.getPackage()
                && !(value instanceof Enum);
    }

    /** The fields of a record of any class: their common class is not public. */
    @SuppressWarnings("unchecked")
    private static Map<String, ?> toMap(Object record) throws IOException {
        try {
            return (Map<String, ?>) Library.run(record.getClass().getMethod("toMap"), record);
        } catch (NoSuchMethodException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static Object present(Object value) {
        if (value instanceof OptionalInt number) {
            return number.isPresent() ? (Object) number.getAsInt() : null;
        }
        if (value instanceof OptionalLong number) {
            return number.isPresent() ? (Object) number.getAsLong() : null;
        }
        return value instanceof Optional<?> maybe ? maybe.orElse(null) : value;
    }

    /** Core's name. */
    static String snake(String name) {
        return name.equals("networkInterface")
                ? "interface"
                : name.replaceAll("([A-Z])", "_$1").toLowerCase();
    }
}
