package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Another JVM: of the release that runs the tests, and with their classes. */
final class Jvm {
    private Jvm() {}

    /** Its command line, checked by {@code -Xcheck:jni}, without the program. */
    static List<String> command(List<String> under) {
        List<String> command = new ArrayList<>(under);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xcheck:jni", "-cp", System.getProperty("java.class.path")));
        // Java 17 does not have the option that follows.
        command.add("-XX:+IgnoreUnrecognizedVMOptions");
        command.add("--enable-native-access=ALL-UNNAMED");
        return command;
    }

    /** Runs a program to its end, which must be success, and returns its output. */
    static String said(List<String> under, String... program)
            throws IOException, InterruptedException {
        List<String> command = command(under);
        command.addAll(List.of(program));
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        child.getOutputStream().close();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(child.waitFor(60, TimeUnit.SECONDS), "it does not end");
        assertEquals(0, child.exitValue(), said);
        return said;
    }
}
