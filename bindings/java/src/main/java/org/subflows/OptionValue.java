package org.subflows;

/**
 * The value of an option of a subflow: a number, a switch or a name, as the option requires. Raw options
 * are bytes.
 *
 * <pre>{@code
 * Subflows.setOption(socket, id, SubflowOption.MAX_PACING_RATE, OptionValue.of(125_000));
 * Subflows.setOption(socket, id, SubflowOption.CONGESTION_CONTROL, OptionValue.of("bbr"));
 * }</pre>
 */
public final class OptionValue {
    /** As text, as core writes it. */
    private final String text;

    private OptionValue(String text) {
        this.text = text;
    }

    /** A number, in the unit of the option. */
    public static OptionValue of(long number) {
        return new OptionValue(Long.toString(number));
    }

    /** On or off. */
    public static OptionValue of(boolean on) {
        return new OptionValue(Boolean.toString(on));
    }

    /** A name. */
    public static OptionValue of(String name) {
        return new OptionValue(Given.notNull(name, "name", "a name, such as \"bbr\""));
    }

    /** The bytes of a raw option. */
    public static OptionValue of(byte[] bytes) {
        StringBuilder text = new StringBuilder("0x");
        for (byte each : Given.notNull(bytes, "bytes", "the bytes as setsockopt(2) takes them")) {
            text.append(String.format("%02x", each));
        }
        return new OptionValue(text.toString());
    }

    static OptionValue parse(String text) {
        return new OptionValue(text);
    }

    /**
     * The number.
     *
     * @throws NumberFormatException the value is not a number
     */
    public long number() {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException error) {
            throw new NumberFormatException(text + " is not a number: use toString()");
        }
    }

    /** Whether a switch is on. */
    public boolean isOn() {
        return text.equals("true");
    }

    /**
     * The bytes of a raw option.
     *
     * @throws IllegalArgumentException the value is not bytes
     */
    public byte[] bytes() {
        if (!text.startsWith("0x")) {
            throw new IllegalArgumentException(text + " is not bytes: use toString()");
        }
        byte[] bytes = new byte[text.length() / 2 - 1];
        for (int index = 0; index < bytes.length; index++) {
            int start = 2 + 2 * index;
            bytes[index] = (byte) Integer.parseInt(text.substring(start, start + 2), 16);
        }
        return bytes;
    }

    /** The value as text: a number in decimal digits, true or false, a name, or 0x and digits. */
    @Override
    public String toString() {
        return text;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof OptionValue && ((OptionValue) other).text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }
}
