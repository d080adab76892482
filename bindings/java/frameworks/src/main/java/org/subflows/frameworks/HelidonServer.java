package org.subflows.frameworks;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * Helidon, which sets SO_REUSEADDR on every socket that it accepts. Its classes require Java 21: the compiler
 * of Java 17 cannot read them, so they are used by reflection.
 */
final class HelidonServer {
    private static final String WEBSERVER = "io.helidon.webserver.";

    private HelidonServer() {}

    static void start() throws ReflectiveOperationException {
        Class<?> builder = Class.forName(WEBSERVER + "WebServerConfig$Builder");
        Object server = Class.forName(WEBSERVER + "WebServer").getMethod("builder").invoke(null);
        builder.getMethod("port", int.class).invoke(server, Serve.PORT);
        Class<?> routings = Class.forName(WEBSERVER + "http.HttpRouting$Builder");
        Object routes = Class.forName(WEBSERVER + "http.HttpRouting").getMethod("builder").invoke(null);
        route(routes);
        builder.getMethod("routing", routings).invoke(server, routes);
        Object built = builder.getMethod("build").invoke(server);
        Class.forName(WEBSERVER + "WebServer").getMethod("start").invoke(built);
    }

    /** Answers GET requests of every path. */
    private static void route(Object routes) throws ReflectiveOperationException {
        Class<?> handlers = Class.forName(WEBSERVER + "http.Handler");
        InvocationHandler answer =
                (proxy, method, arguments) -> {
                    if (method.isDefault()) {
                        return InvocationHandler.invokeDefault(proxy, method, arguments);
                    }
                    return answer(arguments);
                };
        Class<?>[] types = {handlers};
        Object handler =
                Proxy.newProxyInstance(HelidonServer.class.getClassLoader(), types, answer);
        Method get = routes.getClass().getMethod("get", handlers.arrayType());
        Object all = Array.newInstance(handlers, 1);
        Array.set(all, 0, handler);
        get.setAccessible(true);
        get.invoke(routes, all);
    }

    private static Object answer(Object[] requestAndResponse) throws ReflectiveOperationException {
        Class<?> requests = Class.forName(WEBSERVER + "http.ServerRequest");
        Object target = requests.getMethod("path").invoke(requestAndResponse[0]);
        Class<?> paths = Class.forName("io.helidon.http.RoutedPath");
        String path = (String) paths.getMethod("path").invoke(target);
        Class<?> responses = Class.forName(WEBSERVER + "http.ServerResponse");
        Method send = responses.getMethod("send", byte[].class);
        return send.invoke(requestAndResponse[1], (Object) Body.of(path));
    }
}
