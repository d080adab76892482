package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** No call crashes the JVM, and -Xcheck:jni reports nothing. */
class AbuseTest {
    /** Runs longer with -DabuseSeconds=300. */
    private static final String SECONDS = System.getProperty("abuseSeconds", "5");

    @Test
    void nothingCrashesAndTheCheckerIsSilent() throws Exception {
        assertEquals("", Jvm.said(List.of(), "org.subflows.Abuse", SECONDS));
    }
}
