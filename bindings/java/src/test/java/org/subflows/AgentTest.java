package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Applications speak Multipath TCP without knowing it. */
class AgentTest {
    @TempDir Path folder;

    /** What the JVM reads of the jar; the classes themselves are where the tests have them. */
    private Path jar() throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", Agent.class.getName());
        Path jar = folder.resolve("agent.jar");
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        return jar;
    }

    private String http(String options, String... arguments) throws Exception {
        String host = arguments.length > 0 ? "127.0.0.1" : "::1";
        String said = run(options, List.of("org.subflows.Http", host), arguments);
        return said + errors().replaceAll("(?m)^WARNING.*\\R*", "");
    }

    private String errors() throws IOException {
        return Files.readString(folder.resolve("errors"));
    }

    private String run(String options, List<String> program, String... arguments)
            throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(arguments));
        command.add("-javaagent:" + jar() + options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(program);
        Process child =
                new ProcessBuilder(command)
                        .redirectError(folder.resolve("errors").toFile())
                        .start();
        child.getOutputStream().close();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        child.waitFor();
        return said;
    }

    @ParameterizedTest
    @ValueSource(strings = {"netty", "jetty", "tomcat"})
    void serversOfOthersAskedByOkHttp(String server) throws Exception {
        String said = run("", List.of("org.subflows.Libraries", server));
        assertEquals("hello 1 1", said, errors());
    }

    @ParameterizedTest
    @CsvSource({"'',hello 1 1 0", "=control,hello 1 1 1"})
    void theJdksHttpClientAndServer(String options, String said) throws Exception {
        assertEquals(said, http(options));
        assertEquals(said, http(options, "-Djava.net.preferIPv4Stack=true"));
    }

    @Test
    void whatItCannotDoItNames() throws Exception {
        assertTrue(http("=speed").contains("no option of the agent is called speed"));
        String other = "-Djava.nio.channels.spi.SelectorProvider=org.example.Other";
        assertTrue(http("", other).contains("another provider is installed: org.example.Other"));
    }

    @Test
    void factoriesMakePlainSockets() throws Exception {
        MptcpSocketFactory factory = new MptcpSocketFactory();
        InetAddress host = InetAddress.getByName("127.0.0.1");
        try (ServerSocket listener = Subflows.listen(new InetSocketAddress(host, 0))) {
            int port = listener.getLocalPort();
            try (Socket one = factory.createSocket(host, port);
                    Socket two = factory.createSocket("127.0.0.1", port, host, 0);
                    Socket three = factory.createSocket()) {
                assertEquals(State.MPTCP, Subflows.status(one).state());
                assertEquals(State.MPTCP, Subflows.status(two).state());
                assertEquals(State.UNCONNECTED, Subflows.status(three).state());
            }
        }
    }
}
