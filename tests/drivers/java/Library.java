import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.NetworkChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.subflows.Announced;
import org.subflows.Event;
import org.subflows.Events;
import org.subflows.OptionValue;
import org.subflows.SubflowOption;
import org.subflows.Subflows;
import org.subflows.Verbs;

/** The operations of the library, called by their names, and the handles that they return. */
final class Library {
    /** They change a channel, and later the channel that replaces it. */
    private static final Set<String> STEPS = Set.of("upgrade", "take_control");

    private final PlainSockets sockets;
    private final Map<String, Announced> announced = new HashMap<>();
    private final Map<String, Events> events = new HashMap<>();

    Library(PlainSockets sockets, Map<String, Driver.Verb> verbs) {
        this.sockets = sockets;
        Stream.of(Verbs.class.getMethods())
                .filter(method -> Modifier.isStatic(method.getModifiers()))
                .forEach(method -> verbs.put(Answer.snake(method.getName()), this::call));
        Stream.of("socket", "connect", "listen").forEach(verb -> verbs.put(verb, this::call));
        verbs.put(
                "announced.turn_away",
                request -> Map.of("count", handle(announced, request).turnAway()));
        verbs.put("announced.withdraw", this::withdraw);
        verbs.put("events.next", this::next);
        verbs.put("events.close", this::close);
    }

    private Map<String, Object> call(Request request) throws IOException {
        if (request.maybe("sock").isEmpty()) {
            boolean isOfNamespace = request.verb().equals("events");
            return answer(request, isOfNamespace ? Events.ofNamespace() : invoke(request, null));
        }
        PlainSockets.Sock sock = sockets.of(request);
        if (sock.channel != null && STEPS.contains(request.verb())) {
            return sock.step(channel -> invoke(request, channel));
        }
        return answer(request, invoke(request, sock.channel != null ? sock.channel : sock.fd));
    }

    /** Calls the method for that type of socket that takes the most arguments. */
    private static Object invoke(Request request, Object sock) throws IOException {
        // `Subflows.socket` makes a socket without a channel.
        String verb = request.verb().equals("socket") ? "socket_channel" : request.verb();
        Class<?> type = sock instanceof Integer ? int.class : NetworkChannel.class;
        Method method =
                Stream.of(Subflows.class.getMethods())
                        .filter(it -> Answer.snake(it.getName()).equals(verb))
                        .filter(it -> sock == null || it.getParameterTypes()[0] == type)
                        .max(Comparator.comparingInt(Method::getParameterCount))
                        .orElseThrow();
        Object[] arguments = new Object[method.getParameterCount()];
        for (int index = 0; index < arguments.length; index++) {
            Parameter parameter = method.getParameters()[index];
            boolean isSocket = index == 0 && sock != null;
            String key = Answer.snake(parameter.getName());
            arguments[index] = isSocket ? sock : value(parameter.getType(), key, request);
        }
        return run(method, null, arguments);
    }

    private static Object value(Class<?> type, String key, Request request) throws IOException {
        if (type == long.class) {
            return request.number(key);
        } else if (type == int.class) {
            return (int) request.number(key);
        } else if (type == boolean.class) {
            return request.is(key, false);
        } else if (type == String.class) {
            return request.text(key);
        } else if (type == InetAddress.class) {
            return InetAddress.getByName(request.text(key));
        } else if (type == InetSocketAddress.class) {
            return request.address(key);
        } else if (type == Duration.class) {
            return Duration.ofMillis(request.number(key));
        } else if (type == SubflowOption.class) {
            return SubflowOption.valueOf(request.text(key).toUpperCase());
        } else if (type == OptionValue.class) {
            String text = request.text(key);
            return text.startsWith("0x")
                    ? OptionValue.of(HexFormat.of().parseHex(text, 2, text.length()))
                    : OptionValue.of(text);
        }
        return type == ProtocolFamily.class ? PlainSockets.family(request) : options(type, request);
    }

    /** The options that the request has. */
    private static Object options(Class<?> type, Request request) throws IOException {
        Object options = null;
        for (Method method : type.getMethods()) {
            if (method.getName().equals("defaults")) {
                options = run(method, null);
            }
        }
        for (Method method : type.getMethods()) {
            if (method.getParameterCount() != 1 || method.getReturnType() != type) {
                continue;
            }
            Class<?> taken = method.getParameterTypes()[0];
            String key = Answer.snake(method.getName()) + (taken == Duration.class ? "_ms" : "");
            if (request.maybe(key).isPresent()) {
                options = run(method, options, value(taken, key, request));
            }
        }
        return options;
    }

    /** Calls a method, which may be inherited from a class that is not public. */
    static Object run(Method method, Object on, Object... arguments) throws IOException {
        try {
            method.setAccessible(true);
            return method.invoke(on, arguments);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof IOException cause) {
                throw cause;
            }
            throw thrown.getCause() instanceof RuntimeException cause
                    ? cause
                    : new IllegalStateException(thrown);
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Keeps what was made under the name that the request gives it. */
    private Map<String, Object> answer(Request request, Object result) throws IOException {
        if (result instanceof SocketChannel channel) {
            return sockets.keep(request, PlainSockets.family(request), channel);
        } else if (result instanceof Socket sock) {
            return sockets.keep(request, null, sock.getChannel());
        } else if (result instanceof ServerSocket listener) {
            return sockets.keep(request, null, listener.getChannel());
        } else if (result instanceof Events stream) {
            events.put(request.text("name"), stream);
            return Map.of();
        } else if (result instanceof Announced made) {
            announced.put(request.text("name"), made);
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("id", made.id());
            fields.put("address", made.address());
            return fields;
        } else if (result instanceof OptionValue value) {
            return Map.of("value", value);
        }
        return result instanceof List<?> list ? Answer.list(list) : Answer.record(result);
    }

    private static <T> T handle(Map<String, T> handles, Request request) {
        T handle = handles.get(request.text("handle"));
        if (handle == null) {
            throw Fault.protocol("no handle has the name " + request.text("handle"));
        }
        return handle;
    }

    void closeAll() throws IOException {
        for (Events stream : events.values()) {
            stream.close();
        }
        events.clear();
        announced.values().forEach(Announced::close);
        announced.clear();
    }

    private Map<String, Object> withdraw(Request request) throws IOException {
        handle(announced, request).withdraw();
        return Map.of();
    }

    private Map<String, Object> next(Request request) throws IOException {
        Duration timeout = Duration.ofMillis(request.number("timeout_ms"));
        Optional<Event> event = handle(events, request).poll(timeout);
        return Answer.record(event.orElse(null));
    }

    private Map<String, Object> close(Request request) throws IOException {
        handle(events, request).close();
        return Map.of();
    }
}
