package org.subflows;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** Loads the file with the native functions, before any class that declares some. */
class NativeLibrary {
    private static final String NAME = "subflows_java";

    static {
        load();
        Available.install();
    }

    NativeLibrary() {}

    /** Loads the file that the property names, else from java.library.path, else from the jar. */
    private static void load() {
        String given = System.getProperty("org.subflows.library");
        if (given != null) {
            System.load(Path.of(given).toAbsolutePath().toString());
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError notInstalled) {
            try {
                loadFromJar(notInstalled);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    private static void loadFromJar(UnsatisfiedLinkError notInstalled) throws IOException {
        String arch = System.getProperty("os.arch").replace("amd64", "x86_64");
        String place = "/META-INF/native/linux-" + arch + "/" + System.mapLibraryName(NAME);
        try (InputStream library = NativeLibrary.class.getResourceAsStream(place)) {
            if (library == null) {
                UnsatisfiedLinkError error =
                        new UnsatisfiedLinkError(
                                "neither java.library.path nor the jar has the native part for "
                                        + System.getProperty("os.name")
                                        + " on "
                                        + arch
                                        + ". Pass its path: -Dorg.subflows.library=FILE");
                error.addSuppressed(notInstalled);
                throw error;
            }
            // In a new folder, to which no other user can write.
            Path folder = Files.createTempDirectory("subflows");
            Path file = folder.resolve(System.mapLibraryName(NAME));
            try {
                Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
                System.load(file.toString());
            } finally {
                // A library that is loaded no longer needs its file name.
                Files.deleteIfExists(file);
                Files.delete(folder);
            }
        }
    }
}
