package org.subflows.frameworks;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Tomcat, with the socket options of its documentation. */
final class TomcatServer {
    private TomcatServer() {}

    static void start() throws Exception {
        Path folder = Files.createTempDirectory("tomcat");
        folder.toFile().deleteOnExit();
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.toString());
        tomcat.setPort(Serve.PORT);
        Connector connector = tomcat.getConnector();
        connector.setProperty("socket.soReuseAddress", "true");
        connector.setProperty("socket.ooBInline", "false");
        connector.setProperty("socket.soKeepAlive", "true");
        connector.setProperty("socket.tcpNoDelay", "true");
        connector.setProperty("maxKeepAliveRequests", "-1");
        Context context = tomcat.addContext("", folder.toString());
        Tomcat.addServlet(context, "bodies", new Bodies());
        context.addServletMapping("/", "bodies");
        tomcat.start();
    }

    private static final class Bodies extends HttpServlet {
        private static final long serialVersionUID = 1;

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response)
                throws IOException {
            byte[] body = Body.of(request.getServletPath());
            response.setContentLength(body.length);
            response.getOutputStream().write(body);
        }
    }
}
