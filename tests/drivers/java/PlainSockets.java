import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
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

/** Java's own sockets, without the library, by the names that the runner gives them. */
final class PlainSockets {
    /** A change to a channel that is repeated on the channel that replaces it. */
    interface Step {
        void on(NetworkChannel channel) throws IOException;
    }

    /**
     * A channel; or a descriptor, because Java cannot make a channel of a descriptor that it
     * inherited.
     */
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

        /** Changes the channel, and later the channel that replaces it. */
        Map<String, Object> step(Step step) throws IOException {
            step.on(channel);
            steps.add(step);
            return Map.of();
        }

        SocketChannel stream() throws IOException {
            if (!(channel instanceof SocketChannel stream)) {
                throw Fault.notOffered("Java cannot do this on a descriptor without a channel");
            }
            if (stream.isConnectionPending()) {
                stream.finishConnect();
            }
            return stream;
        }

        /** A channel cannot start to listen: a server channel with the same changes replaces it. */
        Map<String, Object> listen() throws IOException {
            InetSocketAddress local = (InetSocketAddress) channel.getLocalAddress();
            channel.close();
            ServerSocketChannel server = ServerSocketChannel.open(family);
            channel = server;
            for (Step step : steps) {
                step.on(server);
            }
            server.bind(local, 128);
            return Map.of();
        }
    }

    private static final Map<String, SocketOption<?>> OPTIONS =
            Map.of(
                    "1/9", StandardSocketOptions.SO_KEEPALIVE,
                    "6/1", StandardSocketOptions.TCP_NODELAY,
                    "6/4", ExtendedSocketOptions.TCP_KEEPIDLE);

    private final Map<String, Sock> sockets = new HashMap<>();
    private final Map<String, Transfer> sending = new HashMap<>();
    private final Map<String, Transfer> receiving = new HashMap<>();

    PlainSockets(Map<String, Driver.Verb> verbs) {
        verbs.put("plain.socket", this::make);
        verbs.put("plain.take_fd", this::takeFd);
        verbs.put("plain.bind", this::bind);
        verbs.put("plain.connect", this::connect);
        verbs.put("plain.listen", request -> of(request).listen());
        verbs.put("plain.accept", this::accept);
        verbs.put(
                "plain.send",
                request -> new Transfer().send(socket(request), request.number("bytes")));
        verbs.put(
                "plain.receive",
                request -> Transfer.receive(socket(request), request.number("bytes")));
        verbs.put("plain.start_sending", this::startSending);
        verbs.put("plain.stop_sending", this::stopSending);
        verbs.put("plain.start_receiving", this::startReceiving);
        verbs.put("plain.finish_receiving", request -> end(receiving, request));
        verbs.put("plain.shutdown", this::shutdown);
        verbs.put("plain.close", this::close);
        verbs.put("plain.setsockopt", this::setsockopt);
        verbs.put("plain.getsockopt", this::getsockopt);
    }

    static StandardProtocolFamily family(Request request) {
        return request.text("family").equals("v4")
                ? StandardProtocolFamily.INET
                : StandardProtocolFamily.INET6;
    }

    /** Keeps a socket under the name that the request gives it, and returns its ends. */
    Map<String, Object> keep(Request request, ProtocolFamily family, NetworkChannel channel)
            throws IOException {
        sockets.put(request.text("name"), new Sock(family, channel));
        return ends(channel);
    }

    /** The socket that the request names. */
    Sock of(Request request) {
        Sock sock = sockets.get(request.text("sock"));
        if (sock == null) {
            throw Fault.protocol("no socket has the name " + request.text("sock"));
        }
        return sock;
    }

    private Socket socket(Request request) throws IOException {
        return of(request).stream().socket();
    }

    private Map<String, Object> make(Request request) throws IOException {
        return keep(request, family(request), SocketChannel.open(family(request)));
    }

    private Map<String, Object> takeFd(Request request) {
        sockets.put(request.text("name"), new Sock((int) request.number("fd")));
        return Map.of();
    }

    private Map<String, Object> bind(Request request) throws IOException {
        Sock sock = of(request);
        sock.channel.bind(request.address("to"));
        return ends(sock.channel);
    }

    private Map<String, Object> connect(Request request) throws IOException {
        SocketChannel channel = of(request).stream();
        channel.configureBlocking(request.is("wait", true));
        boolean isConnected = channel.connect(request.address("to"));
        channel.configureBlocking(true);
        return isConnected ? ends(channel) : Map.of();
    }

    private Map<String, Object> accept(Request request) throws IOException {
        ServerSocket listener = ((ServerSocketChannel) of(request).channel).socket();
        listener.setSoTimeout(Transfer.PATIENCE);
        return keep(request, null, listener.accept().getChannel());
    }

    private Map<String, Object> startSending(Request request) throws IOException {
        sending.put(request.text("sock"), Transfer.startSending(socket(request)));
        return Map.of();
    }

    private Map<String, Object> stopSending(Request request) throws IOException {
        Map<String, Object> sent = end(sending, request);
        of(request).stream().shutdownOutput();
        return sent;
    }

    private Map<String, Object> startReceiving(Request request) throws IOException {
        receiving.put(request.text("sock"), Transfer.startReceiving(socket(request)));
        return Map.of();
    }

    private static Map<String, Object> end(Map<String, Transfer> transfers, Request request)
            throws IOException {
        Transfer transfer = transfers.remove(request.text("sock"));
        if (transfer == null) {
            throw Fault.protocol("no transfer was started on this socket");
        }
        return transfer.end();
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

    private Map<String, Object> close(Request request) throws IOException {
        Sock sock = sockets.remove(request.text("name"));
        if (sock != null && sock.channel != null) {
            sock.channel.close();
        }
        return Map.of();
    }

    void closeAll() throws IOException {
        for (Sock sock : sockets.values()) {
            if (sock.channel != null) {
                sock.channel.close();
            }
        }
        sockets.clear();
        sending.clear();
        receiving.clear();
    }

    /** Null if Java has no name for the option. */
    private static SocketOption<?> option(Request request) {
        return OPTIONS.get(request.text("level") + "/" + request.text("option"));
    }

    private Map<String, Object> setsockopt(Request request) throws IOException {
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

    private Map<String, Object> getsockopt(Request request) throws IOException {
        NetworkChannel channel = of(request).channel;
        SocketOption<?> option = option(request);
        if (option == null) {
            int level = (int) request.number("level");
            return Map.of("value", RawOption.get(channel, level, (int) request.number("option")));
        }
        Object value = channel.getOption(option);
        return Map.of("value", value instanceof Boolean flag ? (flag ? 1 : 0) : value);
    }

    private static Map<String, Object> ends(NetworkChannel channel) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (channel.getLocalAddress() != null) {
            fields.put("local", channel.getLocalAddress());
        }
        if (channel instanceof SocketChannel stream && stream.isConnected()) {
            fields.put("remote", stream.getRemoteAddress());
        }
        return fields;
    }
}
