package org.subflows;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A record: a view of one row of the words that the native part wrote in a single call. A field is
 * decoded when it is read.
 */
abstract class Row {
    private final long[] words;
    private final int at;

    Row(long[] words, int at) {
        this.words = words;
        this.at = at;
    }

    /** Makes the record whose row begins at that word. */
    interface Maker<T> {
        T make(long[] words, int at);
    }

    /** The records to which that word points: it holds their start and their number. */
    static <T> List<T> rows(long[] words, int pointer, int width, Maker<T> maker) {
        int start = (int) (words[pointer] >>> 32);
        @SuppressWarnings("unchecked")
        T[] rows = (T[]) new Object[(int) words[pointer]];
        for (int index = 0; index < rows.length; index++) {
            rows[index] = maker.make(words, start + index * width);
        }
        return List.of(rows);
    }

    /** Adds all fields by their names, in order. */
    abstract void fields(Map<String, Object> fields);

    /** All fields by their names, in order. */
    public final Map<String, Object> toMap() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields(fields);
        return Collections.unmodifiableMap(fields);
    }

    @Override
    public final boolean equals(Object other) {
        return other != null
                && other.getClass() == getClass()
                && ((Row) other).toMap().equals(toMap());
    }

    @Override
    public final int hashCode() {
        return toMap().hashCode();
    }

    @Override
    public final String toString() {
        return getClass().getSimpleName() + toMap();
    }

    final long[] words() {
        return words;
    }

    final int at(int offset) {
        return at + offset;
    }

    final long word(int offset) {
        return words[at + offset];
    }

    final boolean has(int bit) {
        return (words[at] >>> bit & 1) != 0;
    }

    final Duration micros(int offset) {
        return Duration.of(word(offset), ChronoUnit.MICROS);
    }

    final Duration millis(int offset) {
        return Duration.ofMillis(word(offset));
    }

    final String text(int offset) {
        int length = (int) word(offset);
        ByteBuffer bytes = ByteBuffer.allocate((length + 7) / 8 * 8);
        for (int index = (int) (word(offset) >>> 32); bytes.hasRemaining(); index++) {
            bytes.putLong(words[index]);
        }
        return new String(bytes.array(), 0, length, StandardCharsets.UTF_8);
    }

    final InetAddress ip(int offset) {
        return PackedAddress.ip(words, at + offset);
    }

    final InetSocketAddress address(int offset) {
        return PackedAddress.address(words, at + offset);
    }
}
