package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URL;
import java.net.URLClassLoader;
import org.junit.jupiter.api.Test;

/** Unloading a web application that uses the library leaves the JVM working. */
class UnloadTest {
    @Test
    void theJdkOutlivesAClassLoaderThatLoadedTheLibrary() throws Exception {
        WeakReference<ClassLoader> loader = loadAndLeave();
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (loader.get() != null) {
            assertTrue(System.nanoTime() < deadline, "it is not unloaded");
            System.gc();
        }
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket client = new Socket(listener.getInetAddress(), listener.getLocalPort());
                Socket server = listener.accept()) {
            server.getOutputStream().write(1);
            client.getInputStream().read();
            // Calls a function of the native part, whose class loader is gone.
            assertEquals(0, client.getInputStream().available());
        }
    }

    private static WeakReference<ClassLoader> loadAndLeave()
            throws IOException, ReflectiveOperationException {
        URL classes = Subflows.class.getProtectionDomain().getCodeSource().getLocation();
        URL[] path = {classes};
        try (URLClassLoader loader =
                new URLClassLoader(path, ClassLoader.getPlatformClassLoader())) {
            Class<?> subflows = loader.loadClass("org.subflows.Subflows");
            subflows.getMethod("capabilities").invoke(null);
            return new WeakReference<>(loader);
        }
    }
}
