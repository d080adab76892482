import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.SocketOption;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdk.net.ExtendedSocketOptions;

/** Sockets by Java's own means, and what can be done with them without any library. */
final class Own {
    /** What was done to a socket before it was known what it would become. */
    interface Step {
        void on(NetworkChannel channel) throws IOException;
    }

    /** A channel; or a number, which is all that Java has of a descriptor that it did not make. */
    static final class Sock {
        final ProtocolFamily family;
        NetworkChannel channel;
        final int fd;
        final List<Step> steps = new ArrayList<>();

        Sock(ProtocolFamily family, NetworkChannel channel) {
            this.family = family;
            this.channel = channel;
            this.fd = -1;
        }

        Sock(int fd) {
            this.family = null;
            this.fd = fd;
        }

        /** Does something that is done again on what takes this one's place. */
        void step(Step step) throws IOException {
            step.on(channel);
            steps.add(step);
        }

        SocketChannel stream() throws IOException {
            if (!(channel instanceof SocketChannel)) {
                throw Fault.notOffered("Java cannot do this with a descriptor alone");
            }
            SocketChannel stream = (SocketChannel) channel;
            if (stream.isConnectionPending()) {
                stream.finishConnect();
            }
            return stream;
        }

        /** Java decides when it makes a socket whether it listens: it is made anew, and as far. */
        void hear() throws IOException {
            InetSocketAddress local = (InetSocketAddress) channel.getLocalAddress();
            channel.close();
            ServerSocketChannel server = ServerSocketChannel.open(family);
            channel = server;
            for (Step step : steps) {
                step.on(server);
            }
            server.bind(local, 128);
        }
    }

    private static final Map<String, SocketOption<?>> OPTIONS =
            Map.of(
                    "1/9", StandardSocketOptions.SO_KEEPALIVE,
                    "6/1", StandardSocketOptions.TCP_NODELAY,
                    "6/4", ExtendedSocketOptions.TCP_KEEPIDLE);

    private final Map<String, Sock> sockets = new HashMap<>();
    private final Map<String, Flow> poured = new HashMap<>();
    private final Map<String, Flow> drained = new HashMap<>();

    void offer(Map<String, Driver.Verb> verbs) {
        verbs.put("tcp", request -> keep(request, family(request), SocketChannel.open(family(request))));
        verbs.put("adopt", this::adopt);
        verbs.put("bind", this::bind);
        verbs.put("dial", this::dial);
        verbs.put("hear", request -> done(() -> of(request).hear()));
        verbs.put("accept", this::accept);
        verbs.put(
                "send",
                request -> new Flow().send(of(request).stream().socket(), request.number("bytes")));
        verbs.put(
                "receive",
                request -> Flow.receive(of(request).stream().socket(), request.number("bytes")));
        verbs.put("pour", request -> begin(poured, request, Flow.pour(of(request).stream().socket())));
        verbs.put("drain", request -> begin(drained, request, Flow.drain(of(request).stream().socket())));
        verbs.put("poured", this::poured);
        verbs.put("drained", request -> ended(drained, request));
        verbs.put("shutdown", this::shutdown);
        verbs.put("drop", this::drop);
        verbs.put("set_option", this::setOption);
        verbs.put("get_option", this::getOption);
    }

    static StandardProtocolFamily family(Request request) {
        return request.text("family").equals("v4")
                ? StandardProtocolFamily.INET
                : StandardProtocolFamily.INET6;
    }

    /** Keeps a socket under the name that the request gives it; tells its ends, where it has some. */
    Map<String, Object> keep(Request request, ProtocolFamily family, NetworkChannel channel)
            throws IOException {
        sockets.put(request.text("name"), new Sock(family, channel));
        return ends(channel);
    }

    /** The socket that the request is about. */
    Sock of(Request request) {
        Sock sock = sockets.get(request.text("sock"));
        if (sock == null) {
            throw Fault.protocol("no socket is called " + request.text("sock"));
        }
        return sock;
    }

    private Map<String, Object> adopt(Request request) {
        sockets.put(request.text("name"), new Sock((int) request.number("fd")));
        return Map.of();
    }

    private Map<String, Object> bind(Request request) throws IOException {
        Sock sock = of(request);
        sock.channel.bind(request.address("to"));
        return ends(sock.channel);
    }

    private Map<String, Object> dial(Request request) throws IOException {
        SocketChannel channel = of(request).stream();
        boolean isWaiting = request.is("wait", true);
        channel.configureBlocking(isWaiting);
        boolean isConnected = channel.connect(request.address("to"));
        channel.configureBlocking(true);
        return isConnected ? ends(channel) : Map.of();
    }

    private Map<String, Object> accept(Request request) throws IOException {
        ServerSocket listener = ((ServerSocketChannel) of(request).channel).socket();
        listener.setSoTimeout(Flow.PATIENCE);
        return keep(request, null, listener.accept().getChannel());
    }

    private Map<String, Object> begin(Map<String, Flow> flows, Request request, Flow flow) {
        flows.put(request.text("sock"), flow);
        return Map.of();
    }

    private Map<String, Object> poured(Request request) throws IOException {
        Map<String, Object> carried = ended(poured, request);
        of(request).stream().shutdownOutput();
        return carried;
    }

    private static Map<String, Object> ended(Map<String, Flow> flows, Request request)
            throws IOException {
        Flow flow = flows.remove(request.text("sock"));
        if (flow == null) {
            throw Fault.protocol("nothing was begun");
        }
        return flow.end();
    }

    private Map<String, Object> shutdown(Request request) throws IOException {
        SocketChannel channel = of(request).stream();
        if (request.text("how").equals("write")) {
            channel.shutdownOutput();
        } else {
            channel.shutdownInput();
        }
        return Map.of();
    }

    private Map<String, Object> drop(Request request) throws IOException {
        Sock sock = sockets.remove(request.text("name"));
        if (sock != null && sock.channel != null) {
            sock.channel.close();
        }
        return Map.of();
    }

    /** Null where Java has no name for it. */
    private static SocketOption<?> option(Request request) {
        return OPTIONS.get(request.text("level") + "/" + request.text("option"));
    }

    private Map<String, Object> setOption(Request request) throws IOException {
        SocketOption<?> option = option(request);
        if (option == null) {
            throw Fault.notOffered("Java has no name for this option");
        }
        int value = (int) request.number("value");
        of(request).step(channel -> set(channel, option, value));
        return Map.of("value", value);
    }

    private static void set(NetworkChannel channel, SocketOption<?> option, int value)
            throws IOException {
        if (option.type() == Boolean.class) {
            @SuppressWarnings("unchecked")
            SocketOption<Boolean> flag = (SocketOption<Boolean>) option;
            channel.setOption(flag, value != 0);
        } else {
            @SuppressWarnings("unchecked")
            SocketOption<Integer> number = (SocketOption<Integer>) option;
            channel.setOption(number, value);
        }
    }

    private Map<String, Object> getOption(Request request) throws IOException {
        NetworkChannel channel = of(request).channel;
        SocketOption<?> option = option(request);
        if (option == null) {
            int level = (int) request.number("level");
            return Map.of("value", RawOption.get(channel, level, (int) request.number("option")));
        }
        Object value = channel.getOption(option);
        return Map.of("value", value instanceof Boolean ? ((Boolean) value ? 1 : 0) : value);
    }

    interface Action {
        void run() throws IOException;
    }

    static Map<String, Object> done(Action action) throws IOException {
        action.run();
        return Map.of();
    }

    private static Map<String, Object> ends(NetworkChannel channel) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (channel.getLocalAddress() != null) {
            fields.put("local", channel.getLocalAddress());
        }
        if (channel instanceof SocketChannel && ((SocketChannel) channel).isConnected()) {
            fields.put("remote", ((SocketChannel) channel).getRemoteAddress());
        }
        return fields;
    }
}
