package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Nothing that a program can say crashes the JVM, and -Xcheck:jni has nothing to say. */
class AbuseTest {
    /** More with -DabuseSeconds=300. */
    private static final String SECONDS = System.getProperty("abuseSeconds", "5");

    @Test
    void nothingCrashesAndTheCheckerIsSilent() throws Exception {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Process child =
                new ProcessBuilder(
                                java.toString(),
                                "-Xcheck:jni",
                                "-XX:+IgnoreUnrecognizedVMOptions",
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                System.getProperty("java.class.path"),
                                "org.subflows.Abuse",
                                SECONDS)
                        .redirectErrorStream(true)
                        .start();
        child.getOutputStream().close();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(child.waitFor(60, TimeUnit.SECONDS), "it does not end");
        assertEquals("", said);
        assertEquals(0, child.exitValue(), said);
    }
}
