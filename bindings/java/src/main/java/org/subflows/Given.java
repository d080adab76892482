package org.subflows;

/** Arguments that must not be null. The exception names what to pass instead. */
final class Given {
    private Given() {}

    static <T> T socket(T sock) {
        return notNull(sock, "sock", "an open socket or channel");
    }

    static <T> T notNull(T value, String name, String instead) {
        if (value == null) {
            throw new NullPointerException(name + " is null: pass " + instead);
        }
        return value;
    }
}
