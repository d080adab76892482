package org.subflows;

import java.util.Optional;

/** Replaces native functions of the JDK's classes. */
final class JdkHook {
    private JdkHook() {}

    /**
     * Runs the native method that replaces functions of a class, for the life of the JVM.
     *
     * @throws NoSuchMethodError if this JDK has no such class or function
     */
    static void install(String name, Runnable hook) {
        try {
            // Once initialized, the class has loaded the library of its native functions.
            Class.forName(name);
        } catch (ClassNotFoundException other) {
            throw new NoSuchMethodError(other.getMessage());
        }
        // The JVM warns about replaced functions, unless a method of the JDK is the direct caller.
        Optional.empty().ifPresentOrElse(nothing -> {}, hook);
    }
}
