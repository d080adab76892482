package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The native library is found on systems without a folder for it, or the error names a property. */
class LibraryFileTest {
    /** Every folder that is tried. */
    private static final String ALL = "/tmp /var/tmp /dev/shm /root /home";

    @TempDir Path folder;

    /** A program that only asks for the number of operations. */
    static final class Program {
        private Program() {}

        public static void main(String[] arguments) throws IOException {
            System.out.println(Subflows.capabilities().isEmpty() ? "none" : "works");
        }
    }

    private int status;

    /** Runs the program with these folders mounted with that option, and returns what it prints. */
    private String said(String option, String folders, String... arguments) throws Exception {
        String mounts =
                "for folder in " + folders + "; do mount --rbind $folder $folder &&"
                        + " mount -o remount,bind,nosuid,nodev," + option + " $folder || exit 99;"
                        + " done; cd /proc; exec \"$@\"";
        List<String> under = List.of("unshare", "--mount", "sh", "-c", mounts, "mounts");
        List<String> command = Jvm.command(under);
        command.addAll(List.of(arguments));
        command.add(Program.class.getName());
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        status = child.waitFor();
        return said;
    }

    @ParameterizedTest
    @ValueSource(strings = {"noexec", "ro"})
    void anotherFolderIsTaken(String option) throws Exception {
        assertEquals("works\n", said(option, "/tmp"));
        assertEquals(0, status);
        try (Stream<Path> left = Files.list(Path.of("/var/tmp"))) {
            assertTrue(left.noneMatch(path -> path.getFileName().toString().startsWith("subflows")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"noexec", "ro"})
    void withoutAnyFolderTheErrorNamesTheProperty(String option) throws Exception {
        String said = said(option, ALL);
        assertNotEquals(0, status);
        assertTrue(said.contains("-Djava.io.tmpdir=FOLDER"), said);
        assertTrue(said.contains("-Dorg.subflows.library=FILE"), said);
        assertTrue(said.contains(option.equals("ro") ? "Read-only" : "mounted noexec"), said);
    }

    @ParameterizedTest
    @ValueSource(strings = {"noexec", "ro"})
    void theAgentReportsItInOneLine(String option) throws Exception {
        Path jar = folder.resolve("agent.jar");
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", Agent.class.getName());
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        String said = said(option, ALL, "-javaagent:" + jar);
        assertEquals(1, status, said);
        assertTrue(said.startsWith("subflows: the native library cannot be loaded"), said);
        assertEquals(1, said.lines().count(), said);
    }

    @Test
    void aFileThatDoesNotExistIsNamed() throws Exception {
        String said = said("noexec", "/media", "-Dorg.subflows.library=/nowhere.so");
        assertNotEquals(0, status);
        assertTrue(said.contains("-Dorg.subflows.library=/nowhere.so cannot be loaded"), said);
    }
}
