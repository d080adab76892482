package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** Database drivers take the factory by its name: PostgreSQL's driver, with a real server. */
class PostgresTest {
    private static final int LENGTH = 1_000_000;

    @Test
    void theFactoryByItsName() throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", "postgres");
        properties.setProperty("socketFactory", "org.subflows.MptcpSocketFactory");
        try (EmbeddedPostgres server = EmbeddedPostgres.start();
                ServerSocket door = Subflows.listen(new InetSocketAddress("127.0.0.1", 0))) {
            relay(door, server.getPort());
            String url = "jdbc:postgresql://127.0.0.1:" + door.getLocalPort() + "/postgres";
            try (java.sql.Connection database = DriverManager.getConnection(url, properties);
                    Statement statement = database.createStatement();
                    ResultSet rows = statement.executeQuery("select repeat('x', " + LENGTH + ")")) {
                assertTrue(rows.next());
                assertEquals(LENGTH, rows.getString(1).length());

                int port = door.getLocalPort();
                List<Connection> all = Subflows.connections();
                assertEquals(1, all.stream().filter(one -> one.remote().getPort() == port).count());
                assertEquals(1, all.stream().filter(one -> one.local().getPort() == port).count());
            }
        }
    }

    /** The server itself speaks TCP only: a proxy in front of it accepts Multipath TCP. */
    private static void relay(ServerSocket door, int port) {
        run(() -> {
            try (Socket client = door.accept();
                    Socket server = new Socket(InetAddress.getLoopbackAddress(), port)) {
                Thread back = run(() -> pass(server, client));
                pass(client, server);
                back.join();
            }
        });
    }

    private static void pass(Socket from, Socket to) throws IOException {
        from.getInputStream().transferTo(to.getOutputStream());
        to.shutdownOutput();
    }

    private interface Task {
        void run() throws Exception;
    }

    private static Thread run(Task task) {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                task.run();
                            } catch (Exception error) {
                                // The driver reports that it cannot read on.
                                throw new IllegalStateException(error);
                            }
                        });
        thread.start();
        return thread;
    }
}
