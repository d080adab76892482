package org.subflows;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Loads the file with the native functions, before any class that declares some. */
class NativeLibrary {
    private static final String NAME = "subflows_java";
    private static final String FILE = System.mapLibraryName(NAME);
    private static final String PROPERTY = "org.subflows.library";

    static {
        load();
        Available.install();
        SocketOptions.install();
    }

    NativeLibrary() {}

    /** Loads the file that the property names, else from java.library.path, else from the jar. */
    private static void load() {
        String given = System.getProperty(PROPERTY);
        if (given != null) {
            loadGiven(given);
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError notInstalled) {
            loadFromJar(notInstalled);
        }
    }

    private static void loadGiven(String file) {
        try {
            System.load(Path.of(file).toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError | InvalidPathException error) {
            throw failure(
                    "-D" + PROPERTY + "=" + file + " cannot be loaded (" + error.getMessage()
                            + "). Name the file " + FILE + " of this version, or omit the property.",
                    error);
        }
    }

    private static void loadFromJar(UnsatisfiedLinkError notInstalled) {
        String arch = System.getProperty("os.arch").replace("amd64", "x86_64");
        String place = "META-INF/native/linux-" + arch + "/" + FILE;
        byte[] library = resource(place);
        if (library == null) {
            throw failure(
                    "the jar has no native library for "
                            + System.getProperty("os.name")
                            + " on "
                            + arch
                            + ", and java.library.path has none. Build the jar on such a machine, or "
                            + "name the file: -D" + PROPERTY + "=FILE",
                    notInstalled);
        }
        Map<String, String> failures = new LinkedHashMap<>();
        Throwable last = notInstalled;
        for (Path folder : folders()) {
            try {
                loadFrom(folder, library);
                return;
            } catch (IOException | UnsatisfiedLinkError | SecurityException error) {
                failures.merge(reason(error, folder), folder.toString(), (one, two) -> one + ", " + two);
                last = error;
            }
        }
        List<String> reasons = new ArrayList<>();
        failures.forEach((reason, where) -> reasons.add(where + ": " + reason));
        throw failure(
                "the native library cannot be loaded from a temporary folder ("
                        + String.join("; ", reasons)
                        + "). Name a writable folder that is not mounted noexec: "
                        + "-Djava.io.tmpdir=FOLDER, or unpack " + place
                        + " from the jar and name it: -D" + PROPERTY + "=FILE",
                last);
    }

    private static byte[] resource(String place) {
        try (InputStream library = NativeLibrary.class.getResourceAsStream("/" + place)) {
            return library == null ? null : library.readAllBytes();
        } catch (IOException error) {
            throw failure("the jar cannot be read (" + error.getMessage() + ").", error);
        }
    }

    /** Where the file may be unpacked: the first place is writable and executable on most systems. */
    private static Set<Path> folders() {
        Set<Path> folders = new LinkedHashSet<>();
        String home = System.getProperty("user.home");
        String[] names = {
            System.getProperty("java.io.tmpdir"),
            "/tmp",
            "/var/tmp",
            System.getenv("XDG_RUNTIME_DIR"),
            home == null ? null : home + "/.cache",
            home,
            "/dev/shm",
            System.getProperty("user.dir"),
        };
        for (String name : names) {
            if (name != null && !name.isEmpty()) {
                folders.add(Path.of(name).toAbsolutePath().normalize());
            }
        }
        return folders;
    }

    private static void loadFrom(Path parent, byte[] library) throws IOException {
        // In a new folder, to which no other user can write.
        Path folder = Files.createTempDirectory(parent, "subflows");
        Path file = folder.resolve(FILE);
        try {
            Files.write(file, library);
            System.load(file.toString());
        } finally {
            // A library that is loaded no longer needs its file name.
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }

    /** Without the name of the file, which differs between the folders. */
    private static String reason(Throwable error, Path folder) {
        if (error instanceof java.nio.file.NoSuchFileException) {
            return "no such folder";
        }
        if (error instanceof java.nio.file.AccessDeniedException) {
            return "not writable";
        }
        String text = String.valueOf(error.getMessage());
        int path = text.lastIndexOf(FILE + ": ");
        if (path >= 0) {
            text = text.substring(path + FILE.length() + 2);
        } else if (text.startsWith(folder.toString())) {
            text = text.substring(text.indexOf(": ") + 2);
        }
        return text.contains("failed to map segment") ? "mounted noexec (" + text + ")" : text;
    }

    private static UnsatisfiedLinkError failure(String what, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(what);
        error.initCause(cause);
        return error;
    }
}
