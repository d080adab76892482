package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM of its own, of the release that runs the tests and with their classes. */
final class Jvm {
    private Jvm() {}

    /** Its command line, checked by {@code -Xcheck:jni}, without the program. */
    static List<String> command(List<String> under) {
        List<String> command = new ArrayList<>(under);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xcheck:jni", "-cp", System.getProperty("java.class.path")));
        // Releases before it do not know this one.
        command.add("-XX:+IgnoreUnrecognizedVMOptions");
        command.add("--enable-native-access=ALL-UNNAMED");
        return command;
    }

    /** What a program says, by options of the JVM's and its own arguments, until it ends well. */
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
