import java.io.IOException;
import java.net.InetAddress;
import java.nio.channels.NetworkChannel;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.subflows.Address;
import org.subflows.AnnounceOptions;
import org.subflows.Announced;
import org.subflows.Capability;
import org.subflows.ConnectOptions;
import org.subflows.Connection;
import org.subflows.ConnectionsOptions;
import org.subflows.Event;
import org.subflows.Events;
import org.subflows.Info;
import org.subflows.ListenOptions;
import org.subflows.OpenOptions;
import org.subflows.OptionValue;
import org.subflows.Status;
import org.subflows.Subflow;
import org.subflows.SubflowOption;
import org.subflows.Subflows;

/**
 * The operations of the library, a line for each, and the methods of the handles that they return.
 */
final class Library {
    private final PlainSockets sockets;
    private final Map<String, Announced> announced = new HashMap<>();
    private final Map<String, Events> events = new HashMap<>();
    private final Map<String, Driver.Verb> verbs;

    Library(PlainSockets sockets, Map<String, Driver.Verb> verbs) {
        this.sockets = sockets;
        this.verbs = verbs;
        verbs.put("socket", this::socket);
        verbs.put("connect", this::connect);
        verbs.put("listen", this::listen);
        verbs.put("upgrade", request -> sockets.of(request).step(Subflows::upgrade));
        verbs.put("take_control", this::takeControl);
        record("status", Subflows::status, Subflows::status, Status::toMap);
        record("info", Subflows::info, Subflows::info, Info::toMap);
        list("list", Subflows::list, Subflows::list, Subflow::toMap);
        list("addresses", Subflows::addresses, Subflows::addresses, Address::toMap);
        verbs.put("details", this::details);
        verbs.put("open", this::open);
        verbs.put("close", this::close);
        verbs.put("set_backup", this::setBackup);
        verbs.put("set_option", this::setOption);
        verbs.put("get_option", this::getOption);
        verbs.put("options", this::options);
        verbs.put("set_raw_option", this::setRawOption);
        verbs.put("get_raw_option", this::getRawOption);
        verbs.put("announce", this::announce);
        verbs.put(
                "announced.turn_away",
                request -> Map.of("count", handle(announced, request).turnAway()));
        verbs.put(
                "announced.withdraw", request -> done(() -> handle(announced, request).withdraw()));
        verbs.put("events", this::events);
        verbs.put("events.next", this::next);
        verbs.put("events.close", request -> done(() -> handle(events, request).close()));
        verbs.put("connections", this::connections);
        verbs.put(
                "connection",
                request -> Answer.record(Subflows.connection(request.number("token")).toMap()));
        verbs.put(
                "capabilities",
                request -> Answer.list(Subflows.capabilities(), Capability::toMap));
    }

    /** An operation on a channel, and the same on a descriptor. */
    interface OnChannel<T> {
        T call(NetworkChannel channel) throws IOException;
    }

    interface OnDescriptor<T> {
        T call(int fd) throws IOException;
    }

    private <T> T on(Request request, OnChannel<T> onChannel, OnDescriptor<T> onDescriptor)
            throws IOException {
        PlainSockets.Sock sock = sockets.of(request);
        return sock.channel != null ? onChannel.call(sock.channel) : onDescriptor.call(sock.fd);
    }

    /** An operation that takes only a socket, and returns a record. */
    private <T> void record(
            String name,
            OnChannel<T> onChannel,
            OnDescriptor<T> onDescriptor,
            Function<T, Map<String, Object>> toMap) {
        verbs.put(
                name, request -> Answer.record(toMap.apply(on(request, onChannel, onDescriptor))));
    }

    /** An operation that takes only a socket, and returns a list of records. */
    private <T> void list(
            String name,
            OnChannel<List<T>> onChannel,
            OnDescriptor<List<T>> onDescriptor,
            Function<T, Map<String, Object>> toMap) {
        verbs.put(name, request -> Answer.list(on(request, onChannel, onDescriptor), toMap));
    }

    interface Action {
        void run() throws IOException;
    }

    private static Map<String, Object> done(Action action) throws IOException {
        action.run();
        return Map.of();
    }

    private static <T> T handle(Map<String, T> handles, Request request) {
        T handle = handles.get(request.text("handle"));
        if (handle == null) {
            throw Fault.protocol("no handle has the name " + request.text("handle"));
        }
        return handle;
    }

    private static Optional<Duration> timeout(Request request) {
        return request.maybe("timeout_ms").map(Long::parseLong).map(Duration::ofMillis);
    }

    private Map<String, Object> socket(Request request) throws IOException {
        return sockets.keep(
                request,
                PlainSockets.family(request),
                Subflows.socketChannel(PlainSockets.family(request)));
    }

    private Map<String, Object> connect(Request request) throws IOException {
        ConnectOptions options = ConnectOptions.defaults().control(request.is("control", false));
        if (request.maybe("local").isPresent()) {
            options = options.local(request.address("local"));
        }
        if (request.maybe("interface").isPresent()) {
            options = options.networkInterface(request.text("interface"));
        }
        if (timeout(request).isPresent()) {
            options = options.timeout(timeout(request).get());
        }
        return sockets.keep(
                request, null, Subflows.connect(request.address("address"), options).getChannel());
    }

    private Map<String, Object> listen(Request request) throws IOException {
        ListenOptions options = ListenOptions.defaults().onlyV6(request.is("only_v6", false));
        return sockets.keep(
                request, null, Subflows.listen(request.address("address"), options).getChannel());
    }

    private Map<String, Object> takeControl(Request request) throws IOException {
        PlainSockets.Sock sock = sockets.of(request);
        if (sock.channel == null) {
            return done(() -> Subflows.takeControl(sock.fd));
        }
        return sock.step(Subflows::takeControl);
    }

    private Map<String, Object> details(Request request) throws IOException {
        long id = request.number("id");
        return Answer.record(
                on(request, sock -> Subflows.details(sock, id), fd -> Subflows.details(fd, id))
                        .toMap());
    }

    private Map<String, Object> open(Request request) throws IOException {
        OpenOptions options =
                OpenOptions.defaults()
                        .backup(request.is("backup", false))
                        .unbound(request.is("unbound", false));
        if (request.maybe("local").isPresent()) {
            options = options.local(InetAddress.getByName(request.text("local")));
        }
        if (request.maybe("interface").isPresent()) {
            options = options.networkInterface(request.text("interface"));
        }
        if (request.maybe("remote").isPresent()) {
            options = options.remote(request.address("remote"));
        }
        if (request.maybe("local_port").isPresent()) {
            options = options.localPort((int) request.number("local_port"));
        }
        if (timeout(request).isPresent()) {
            options = options.timeout(timeout(request).get());
        }
        OpenOptions given = options;
        return Answer.record(
                on(request, sock -> Subflows.open(sock, given), fd -> Subflows.open(fd, given))
                        .toMap());
    }

    private Map<String, Object> close(Request request) throws IOException {
        long id = request.number("id");
        boolean force = request.is("force", false);
        PlainSockets.Sock sock = sockets.of(request);
        return sock.channel != null
                ? done(() -> Subflows.close(sock.channel, id, force))
                : done(() -> Subflows.close(sock.fd, id, force));
    }

    private Map<String, Object> setBackup(Request request) throws IOException {
        long id = request.number("id");
        boolean backup = request.is("backup", false);
        PlainSockets.Sock sock = sockets.of(request);
        return sock.channel != null
                ? done(() -> Subflows.setBackup(sock.channel, id, backup))
                : done(() -> Subflows.setBackup(sock.fd, id, backup));
    }

    private static SubflowOption option(Request request) {
        return SubflowOption.valueOf(request.text("option").toUpperCase());
    }

    private static OptionValue value(Request request) {
        String text = request.text("value");
        return text.startsWith("0x")
                ? OptionValue.of(HexFormat.of().parseHex(text, 2, text.length()))
                : OptionValue.of(text);
    }

    private Map<String, Object> setOption(Request request) throws IOException {
        long id = request.number("id");
        SubflowOption option = option(request);
        PlainSockets.Sock sock = sockets.of(request);
        return sock.channel != null
                ? done(() -> Subflows.setOption(sock.channel, id, option, value(request)))
                : done(() -> Subflows.setOption(sock.fd, id, option, value(request)));
    }

    private Map<String, Object> getOption(Request request) throws IOException {
        long id = request.number("id");
        SubflowOption option = option(request);
        return Map.of(
                "value",
                on(
                        request,
                        sock -> Subflows.getOption(sock, id, option),
                        fd -> Subflows.getOption(fd, id, option)));
    }

    private Map<String, Object> options(Request request) throws IOException {
        long id = request.number("id");
        return Answer.record(
                on(request, sock -> Subflows.options(sock, id), fd -> Subflows.options(fd, id))
                        .toMap());
    }

    private Map<String, Object> setRawOption(Request request) throws IOException {
        long id = request.number("id");
        long level = request.number("level");
        long number = request.number("number");
        PlainSockets.Sock sock = sockets.of(request);
        return sock.channel != null
                ? done(
                        () ->
                                Subflows.setRawOption(
                                        sock.channel, id, level, number, value(request)))
                : done(() -> Subflows.setRawOption(sock.fd, id, level, number, value(request)));
    }

    private Map<String, Object> getRawOption(Request request) throws IOException {
        long id = request.number("id");
        long level = request.number("level");
        long number = request.number("number");
        long length = request.number("length");
        return Map.of(
                "value",
                on(
                        request,
                        sock -> Subflows.getRawOption(sock, id, level, number, length),
                        fd -> Subflows.getRawOption(fd, id, level, number, length)));
    }

    private Map<String, Object> announce(Request request) throws IOException {
        InetAddress address = InetAddress.getByName(request.text("address"));
        AnnounceOptions options =
                request.maybe("port")
                        .map(port -> AnnounceOptions.atPort(Integer.parseInt(port)))
                        .orElse(AnnounceOptions.defaults());
        Announced made =
                on(
                        request,
                        sock -> Subflows.announce(sock, address, options),
                        fd -> Subflows.announce(fd, address, options));
        announced.put(request.text("name"), made);
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("id", made.id());
        fields.put("address", made.address());
        return fields;
    }

    private Map<String, Object> events(Request request) throws IOException {
        Events stream =
                request.maybe("sock").isPresent()
                        ? on(request, Subflows::events, Subflows::events)
                        : Events.ofNamespace();
        events.put(request.text("name"), stream);
        return Map.of();
    }

    private Map<String, Object> next(Request request) throws IOException {
        Duration timeout = Duration.ofMillis(request.number("timeout_ms"));
        Optional<Event> event = handle(events, request).poll(timeout);
        return event.isPresent() ? Answer.record(event.get().toMap()) : Map.of();
    }

    private Map<String, Object> connections(Request request) throws IOException {
        ConnectionsOptions options =
                ConnectionsOptions.defaults().subflows(request.is("subflows", false));
        return Answer.list(Subflows.connections(options), Connection::toMap);
    }
}
