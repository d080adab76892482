package org.subflows;

/** The warnings of the logger {@code org.subflows}. */
final class Warnings {
    private Warnings() {}

    static void log(String what) {
        System.getLogger("org.subflows").log(System.Logger.Level.WARNING, what);
    }
}
