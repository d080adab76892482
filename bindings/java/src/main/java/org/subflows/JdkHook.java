package org.subflows;

import java.util.Optional;

/** Replaces native functions of the JDK's class {@code sun.nio.ch.Net}. */
final class JdkHook {
    private JdkHook() {}

    /**
     * Runs the native method that replaces a function, for the life of the JVM.
     *
     * @throws NoSuchMethodError if this JDK has no such function
     */
    static void install(Runnable hook) {
        try {
            // Once initialized, the class has loaded the library of its native functions.
            Class.forName("sun.nio.ch.Net");
        } catch (ClassNotFoundException other) {
            throw new NoSuchMethodError(other.getMessage());
        }
        // The JVM warns about replaced functions, unless a method of the JDK is the direct caller.
        Optional.empty().ifPresentOrElse(nothing -> {}, hook);
    }
}
