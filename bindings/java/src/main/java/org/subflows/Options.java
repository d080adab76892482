package org.subflows;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;

/** Options by their index. A value of null is absent: the default applies. */
abstract class Options {
    private final String[] names;
    private final Object[] values;

    Options(String[] names, Object[] values) {
        this.names = names;
        this.values = values;
    }

    /** The values with one of them replaced. */
    final Object[] with(int index, Object value) {
        Given.notNull(value, names[index], "a value, or do not set the option");
        if (value instanceof InetSocketAddress && ((InetSocketAddress) value).isUnresolved()) {
            throw new IllegalArgumentException(names[index] + " is an unresolved address: " + value
                            + ". Resolve it: new InetSocketAddress(host, port)");
        }
        if (value instanceof Duration && ((Duration) value).isNegative()) {
            throw new IllegalArgumentException(names[index] + " is negative: " + value + ". Pass 0 or more");
        }
        Object[] changed = values.clone();
        changed[index] = value;
        return changed;
    }

    static int inRange(int value, int greatest, String name) {
        if (value < 0 || value > greatest) {
            throw new IllegalArgumentException(
                    name + " is " + value + ": pass a number from 0 to " + greatest);
        }
        return value;
    }

    final Object value(int index) {
        return values[index];
    }

    /**
     * The options as the native part reads them: a word whose bits mark the options that are set, three words for
     * each, and then the values without a fixed length.
     */
    final long[] words() {
        long[] words = new long[1 + 3 * values.length];
        for (int index = 0; index < values.length; index++) {
            Object value = values[index];
            if (value == null) {
                continue;
            }
            words[0] |= 1L << index;
            int at = 1 + 3 * index;
            if (value instanceof Boolean) {
                words[at] = (Boolean) value ? 1 : 0;
            } else if (value instanceof Integer) {
                words[at] = (Integer) value;
            } else if (value instanceof Duration) {
                words[at] = ((Duration) value).getSeconds();
                words[at + 1] = ((Duration) value).getNano();
            } else if (value instanceof InetAddress) {
                PackedAddress.ip(words, at, (InetAddress) value, 0);
            } else if (value instanceof InetSocketAddress) {
                InetSocketAddress address = (InetSocketAddress) value;
                PackedAddress.ip(words, at, address.getAddress(), address.getPort());
            } else {
                byte[] text = value.toString().getBytes(StandardCharsets.UTF_8);
                words[at] = (long) words.length << 32 | text.length;
                words = append(words, text);
            }
        }
        return words;
    }

    private static long[] append(long[] words, byte[] text) {
        ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(text, (text.length + 7) / 8 * 8));
        long[] longer = Arrays.copyOf(words, words.length + bytes.capacity() / 8);
        for (int index = words.length; index < longer.length; index++) {
            longer[index] = bytes.getLong();
        }
        return longer;
    }

    @Override
    public final boolean equals(Object other) {
        return other != null
                && other.getClass() == getClass()
                && Arrays.equals(((Options) other).values, values);
    }

    @Override
    public final int hashCode() {
        return Arrays.hashCode(values);
    }

    @Override
    public final String toString() {
        StringBuilder text = new StringBuilder(getClass().getSimpleName());
        String before = "{";
        for (int index = 0; index < values.length; index++) {
            if (values[index] != null) {
                text.append(before).append(names[index]).append('=').append(values[index]);
                before = ", ";
            }
        }
        return text.append(before.equals("{") ? "{}" : "}").toString();
    }
}
