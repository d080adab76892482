package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.tools.attach.AgentInitializationException;
import com.sun.tools.attach.VirtualMachine;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InterruptedIOException;
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

/** Applications speak Multipath TCP unchanged. */
class AgentTest {
    /** The JVM itself makes more references than its check allows, to list its classes for an agent. */
    private static final List<String> UNCHECKED = List.of("-XX:-CheckJNICalls");

    @TempDir Path folder;

    /** A jar with the manifest only: the classes are on the class path of the tests. */
    private Path jar() throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Premain-Class", Agent.class.getName());
        manifest.getMainAttributes().putValue("Agent-Class", Agent.class.getName());
        Path jar = folder.resolve("agent.jar");
        try (OutputStream out = Files.newOutputStream(jar)) {
            new JarOutputStream(out, manifest).close();
        }
        return jar;
    }

    private String http(String options, String... arguments) throws Exception {
        String host = arguments.length > 0 ? "127.0.0.1" : "::1";
        return run(options, List.of("org.subflows.Http", host), arguments) + errors();
    }

    private String errors() throws IOException {
        return Files.readString(folder.resolve("errors"));
    }

    private String run(String options, List<String> program, String... arguments)
            throws Exception {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("-javaagent:" + jar() + options);
        Process child = start(program, all);
        child.getOutputStream().close();
        return said(child);
    }

    private static String said(Process child) throws Exception {
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        child.waitFor();
        return said;
    }

    private Process start(List<String> program, List<String> arguments) throws IOException {
        return start(List.of(), program, arguments);
    }

    private Process start(List<String> under, List<String> program, List<String> arguments)
            throws IOException {
        List<String> command = Jvm.command(under);
        // Tomcat writes its files there.
        command.add("-Djava.io.tmpdir=" + folder);
        command.addAll(arguments);
        command.addAll(program);
        return new ProcessBuilder(command)
                .redirectError(folder.resolve("errors").toFile())
                .start();
    }

    @ParameterizedTest
    @CsvSource({
        "netty, okhttp",
        "netty-epoll, netty-epoll",
        "tomcat, okhttp",
        "jetty, okhttp",
        "jetty, urlconnection",
        "jetty, apache",
        "h2, h2",
    })
    void serversAndClientsOfOthers(String server, String client) throws Exception {
        String said = run("", List.of("org.subflows.Libraries", server, client));
        // H2's client connects again if the first connection takes long.
        boolean isRepeated = client.equals("h2") && said.equals("hello 2 2");
        assertEquals(isRepeated ? said : "hello 1 1", said, errors());
    }

    @Test
    void attachedAfterNettysNativeTransportWasLoaded() throws Exception {
        List<String> waits = List.of("org.subflows.Libraries", "netty-epoll", "netty-epoll", "later");
        Process child = start(waits, UNCHECKED);
        BufferedReader said = child.inputReader();
        assertEquals("loaded", said.readLine(), errors());
        VirtualMachine machine = VirtualMachine.attach(String.valueOf(child.pid()));
        machine.loadAgent(jar().toString());
        machine.detach();
        child.getOutputStream().close();
        assertEquals("hello 1 1", said.readLine(), errors());
    }

    @ParameterizedTest
    @ValueSource(strings = {"netty", "jetty", "tomcat"})
    void withoutAnAgent(String server) throws Exception {
        String provider = "-Djava.nio.channels.spi.SelectorProvider=";
        Process child =
                start(
                        List.of("org.subflows.Libraries", server, "okhttp-factory"),
                        List.of(provider + MptcpSelectorProvider.class.getName()));
        assertEquals("hello 1 1", said(child), errors());
    }

    @ParameterizedTest
    @CsvSource({"'',hello 1 1 0", "=control,hello 1 1 1"})
    void theJdksHttpClientAndServer(String options, String said) throws Exception {
        assertEquals(said, http(options));
        assertEquals(said, http(options, "-Djava.net.preferIPv4Stack=true"));
    }

    @ParameterizedTest
    @CsvSource({"'',1", "=control,1", "=via=lo,2", "'=via=lo,backup=lo',3"})
    void everySocketOfTheJdk(String options, String paths) throws Exception {
        String mptcp = "MPTCP,MPTCP true,MPTCP,MPTCP MPTCP,MPTCP as ever";
        List<String> v6 = List.of("org.subflows.Sockets", "::1", paths);
        assertEquals(mptcp, run(options, v6) + errors());
        List<String> v4 = List.of("org.subflows.Sockets", "127.0.0.1", paths);
        assertEquals(mptcp, run(options, v4) + errors());
        assertEquals(mptcp, run(options, v4, "-Djava.net.preferIPv4Stack=true") + errors());
    }

    /** The JDK once got descriptor 0 instead, the standard input. */
    @Test
    void tooManyOpenFilesAreReported() throws Exception {
        List<String> under = List.of("prlimit", "--nofile=100:100");
        List<String> program = List.of("org.subflows.Exhaustion");
        Process child = start(under, program, List.of("-javaagent:" + jar()));
        String said = said(child);
        assertTrue(said.startsWith("SocketException: socket: "), said + errors());
        assertTrue(said.contains("Too many open files"), said);
    }

    @Test
    void factoriesLeaveControlToTheApplication() throws Exception {
        List<String> program = List.of("org.subflows.Controlled");
        String all = "USERSPACE USERSPACE USERSPACE USERSPACE USERSPACE";
        assertEquals(all, run("=control", program) + errors());
        assertEquals(all.replace("USERSPACE", "KERNEL"), run("", program) + errors());
    }

    @Test
    void attachedToAnApplicationThatRunsAlready() throws Exception {
        List<String> waits = List.of("org.subflows.Sockets", "127.0.0.1", "2", "later");
        Process child = start(waits, UNCHECKED);
        BufferedReader said = child.inputReader();
        // A JVM that is still starting cannot load an agent.
        assertEquals("ready", said.readLine(), errors());
        VirtualMachine machine = VirtualMachine.attach(String.valueOf(child.pid()));
        machine.loadAgent(jar().toString());
        // The options of a second agent are applied as well.
        machine.loadAgent(jar().toString(), "via=lo");
        String refused =
                assertThrows(
                                AgentInitializationException.class,
                                () -> machine.loadAgent(jar().toString(), "speed"))
                        .getMessage();
        machine.detach();
        child.getOutputStream().close();
        String all = "MPTCP,MPTCP true,MPTCP,MPTCP MPTCP,MPTCP as ever";
        assertEquals(all, said.readLine(), refused + errors());
    }

    @ParameterizedTest
    @CsvSource({
        "speed, unknown agent option \"speed\": use control",
        "via=lo;backup=lo, separate options by commas",
        "via=eth0:1, does not name one interface",
        "via=nowhere0, names an interface that does not exist",
        "'via=lo,backup=nowhere0', add the option hotplug if the interface may come later",
        "hotplug, the agent option hotplug requires via=INTERFACE",
        "'via=lo,hotplug=yes', the agent option hotplug takes no value",
        "'control,', empty agent option: use control",
        "control=yes, the agent option control takes no value",
        "via, the agent option via requires the name of an interface of at most 15 characters",
        "backup=, the agent option backup requires the name of an interface",
    })
    void invalidOptionsAreReported(String option, String said) throws Exception {
        String errors = http("=" + option);
        assertTrue(errors.contains(said), errors);
    }

    @Test
    void withoutMultipathTcpItReportsWhy() throws Exception {
        Path setting = Path.of("/proc/sys/net/mptcp/enabled");
        Files.writeString(setting, "0");
        try {
            String said = http("");
            assertTrue(said.startsWith("hello 0 0 0subflows: plain TCP only: Multipath TCP is"), said);
            said = http("=control");
            assertTrue(said.startsWith("subflows: the agent's options are not available here"), said);
            assertTrue(said.contains("sysctl net.mptcp.enabled=1"), said);
        } finally {
            Files.writeString(setting, "1");
        }
    }

    @Test
    void aMissingInterfaceIsReportedOnceAndTheApplicationGoesOn() throws Exception {
        String said = warnings("=via=nowhere0,hotplug", 1);
        assertEquals(1, said.split("nowhere0", -1).length - 1, said);
    }

    /** Errors that differ in a port only were once reported one by one. */
    @Test
    void aRefusedPathIsReportedOnce() throws Exception {
        Process child = paths("via=lo,via=lo,via=lo,via=lo", "burst", "3");
        awaitWarning();
        child.getOutputStream().close();
        assertTrue(said(child).startsWith("made\n3 "), errors());
        assertEquals(1, errors().split("WARNING", -1).length - 1, errors());
    }

    /** Runs an application with three connections, and returns the agent's warnings. */
    private String warnings(String options, int paths) throws Exception {
        List<String> program = List.of("org.subflows.Sockets", "127.0.0.1", String.valueOf(paths));
        Process child = start(program, List.of("-javaagent:" + jar() + options));
        awaitWarning();
        child.getOutputStream().close();
        assertEquals("MPTCP,MPTCP true,MPTCP,MPTCP MPTCP,MPTCP as ever", said(child), errors());
        return errors();
    }

    private void awaitWarning() throws IOException {
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (!errors().contains("WARNING") && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
    }

    private Process paths(String options, String... arguments) throws IOException {
        List<String> program = new ArrayList<>(List.of("org.subflows.Paths"));
        program.addAll(List.of(arguments));
        return start(program, List.of("-javaagent:" + jar() + "=" + options));
    }

    /**
     * Each event once caused a search through all descriptors: a burst never got all its paths, and
     * the connections of other programs kept a processor busy.
     */
    @Test
    void manyConnectionsGetTheirPathsAndThoseOfOthersCostLittle() throws Exception {
        Process child = paths("via=lo", "burst", "300");
        try (BufferedReader said = child.inputReader()) {
            assertEquals("made", said.readLine(), errors());
            String[] words = said.readLine().split(" ");
            assertEquals("300", words[0], errors());
            assertTrue(Integer.parseInt(words[1]) < 5_000, words[1] + " ms: " + errors());
            assertTrue(Integer.parseInt(words[2]) < 1_500, words[2] + " ms of CPU");
            for (int i = 0; i < 200; i++) {
                new Pair("127.0.0.1", ConnectOptions.defaults()).close();
            }
            child.getOutputStream().close();
            String idle = said.readLine();
            assertTrue(Integer.parseInt(idle) < 1_000, idle + " ms of CPU");
        }
    }

    /** The first of these paths once occupied the threads that the second one needed. */
    @Test
    void aPathThatIsSilentKeepsNoOtherWaiting() throws Exception {
        try (Silent silent = new Silent()) {
            int alone = burst("via=lo");
            int beside = burst("backup=" + silent.name + ",via=lo");
            // The silent paths of 100 connections, 32 at once for 5 s each, would take 20 s.
            assertTrue(beside < alone + 2_000, beside + " ms, alone " + alone + ": " + errors());
        }
    }

    /** How many milliseconds it takes until 100 connections have their paths. */
    private int burst(String paths) throws Exception {
        Process child = paths(paths, "burst", "100");
        child.getOutputStream().close();
        String said = said(child);
        String[] words = said.split("\\s");
        assertEquals("100", words[1], said + errors());
        return Integer.parseInt(words[2]);
    }

    /** A descriptor of the agent's once kept the connection open until the path had answered. */
    @Test
    void aConnectionThatIsClosedIsOverAlthoughAPathIsBeingOpened() throws Exception {
        try (Silent silent = new Silent()) {
            String said = said(paths("via=" + silent.name, "close"));
            assertTrue(Integer.parseInt(said.trim()) < 1_000, said + " ms: " + errors());
        }
    }

    /** A path that a busy peer refused was once never tried again. */
    @Test
    void aPathThatIsRefusedIsTriedAgain() throws Exception {
        Process child = paths("via=lo", "refuse");
        child.getOutputStream().close();
        String said = said(child);
        assertTrue(said.startsWith("1 "), said + errors());
        assertEquals("", errors());
    }

    /** An interface that has an address, but no peer on its link. */
    private static final class Silent implements AutoCloseable {
        final String name = "silent0";

        Silent() throws IOException {
            ip("link add " + name + " type veth peer name silent1");
            ip("address add 192.0.2.1/24 dev " + name);
            ip("link set silent1 up");
            ip("link set " + name + " up");
        }

        private static void ip(String command) throws IOException {
            List<String> words = new ArrayList<>(List.of("ip"));
            words.addAll(List.of(command.split(" ")));
            Process ip = new ProcessBuilder(words).inheritIO().start();
            try {
                assertEquals(0, ip.waitFor(), command);
            } catch (InterruptedException error) {
                throw new InterruptedIOException();
            }
        }

        @Override
        public void close() throws IOException {
            ip("link delete " + name);
        }
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
        try (ServerSocket listener = new MptcpServerSocketFactory().createServerSocket(0, 5, host);
                Socket client = factory.createSocket(host, listener.getLocalPort());
                Socket server = listener.accept()) {
            assertTrue(listener.getReuseAddress());
            assertEquals(State.MPTCP, Subflows.status(client).state());
            assertEquals(State.MPTCP, Subflows.status(server).state());
        }
    }
}
