package org.subflows;

import java.net.InetSocketAddress;
import java.util.List;

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

    /** A list of one address, which must not be a name. */
    static List<InetSocketAddress> resolved(InetSocketAddress value, String name) {
        if (notNull(value, name, "an InetSocketAddress").isUnresolved()) {
            throw new IllegalArgumentException(name + " is an unresolved address: " + value
                    + ": pass new InetSocketAddress(host, port) of a name that resolves, or an IP address");
        }
        return List.of(value);
    }
}
