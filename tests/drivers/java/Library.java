import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.NetworkChannel;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.subflows.Address;
import org.subflows.AnnounceOptions;
import org.subflows.Announced;
import org.subflows.Capability;
import org.subflows.ConnectOptions;
import org.subflows.Connection;
import org.subflows.ConnectionsOptions;
import org.subflows.Event;
import org.subflows.Events;
import org.subflows.ListenOptions;
import org.subflows.OpenOptions;
import org.subflows.Subflow;
import org.subflows.Subflows;

/** The verbs of the library, one line for one call, and the handles that it gave out. */
final class Library {
    private final Own own;
    private final Map<String, Announced> announced = new HashMap<>();
    private final Map<String, Events> events = new HashMap<>();

    Library(Own own) {
        this.own = own;
    }

    /** A verb on a channel, and the same on a number. */
    interface OnChannel<T> {
        T call(NetworkChannel channel) throws IOException;
    }

    interface OnNumber<T> {
        T call(int fd) throws IOException;
    }

    private <T> T on(Request request, OnChannel<T> onChannel, OnNumber<T> onNumber)
            throws IOException {
        Own.Sock sock = own.of(request);
        return sock.channel != null ? onChannel.call(sock.channel) : onNumber.call(sock.fd);
    }

    void offer(Map<String, Driver.Verb> verbs) {
        verbs.put("socket", this::socket);
        verbs.put("connect", this::connect);
        verbs.put("listen", this::listen);
        verbs.put("upgrade", request -> Own.done(() -> own.of(request).step(Subflows::upgrade)));
        verbs.put(
                "take_control",
                request -> {
                    Own.Sock sock = own.of(request);
                    if (sock.channel == null) {
                        Subflows.takeControl(sock.fd);
                    } else {
                        sock.step(Subflows::takeControl);
                    }
                    return Map.of();
                });
        verbs.put(
                "status",
                request ->
                        Answer.record(on(request, Subflows::status, Subflows::status).toMap()));
        verbs.put(
                "info",
                request -> Answer.record(on(request, Subflows::info, Subflows::info).toMap()));
        verbs.put(
                "list",
                request ->
                        Answer.list(maps(on(request, Subflows::list, Subflows::list), Subflow::toMap)));
        verbs.put(
                "addresses",
                request ->
                        Answer.list(
                                maps(
                                        on(request, Subflows::addresses, Subflows::addresses),
                                        Address::toMap)));
        verbs.put("details", this::details);
        verbs.put("open", this::open);
        verbs.put("close", request -> close(request, false));
        verbs.put("force_close", request -> close(request, true));
        verbs.put("set_backup", this::setBackup);
        verbs.put("announce", this::announce);
        verbs.put(
                "turn_away",
                request -> Map.of("count", of(announced, request).turnAway()));
        verbs.put("withdraw", request -> Own.done(() -> of(announced, request).withdraw()));
        verbs.put("events", this::events);
        verbs.put("next", this::next);
        verbs.put("unfollow", request -> Own.done(() -> of(events, request).close()));
        verbs.put("connections", this::connections);
        verbs.put(
                "connection",
                request -> Answer.record(Subflows.connection(request.number("token")).toMap()));
        verbs.put(
                "capabilities",
                request -> Answer.list(maps(Subflows.capabilities(), Capability::toMap)));
    }

    private static <T> List<Map<String, Object>> maps(
            List<T> records, java.util.function.Function<T, Map<String, Object>> map) {
        return records.stream().map(map).collect(Collectors.toList());
    }

    private static <T> T of(Map<String, T> handles, Request request) {
        T handle = handles.get(request.text("handle"));
        if (handle == null) {
            throw Fault.protocol("no handle is called " + request.text("handle"));
        }
        return handle;
    }

    private static Optional<Duration> timeout(Request request) {
        return request.maybe("timeout_ms").map(Long::parseLong).map(Duration::ofMillis);
    }

    private Map<String, Object> socket(Request request) throws IOException {
        return own.keep(
                request, Own.family(request), Subflows.socketChannel(Own.family(request)));
    }

    private Map<String, Object> connect(Request request) throws IOException {
        ConnectOptions options =
                ConnectOptions.defaults().control(request.is("control", false));
        if (request.maybe("local").isPresent()) {
            options = options.local(request.address("local"));
        }
        if (request.maybe("interface").isPresent()) {
            options = options.networkInterface(request.text("interface"));
        }
        if (timeout(request).isPresent()) {
            options = options.timeout(timeout(request).get());
        }
        return own.keep(
                request, null, Subflows.connect(request.address("to"), options).getChannel());
    }

    private Map<String, Object> listen(Request request) throws IOException {
        ListenOptions options = ListenOptions.defaults().onlyV6(request.is("only_v6", false));
        return own.keep(
                request, null, Subflows.listen(request.address("at"), options).getChannel());
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
            InetSocketAddress remote = request.address("remote");
            options = options.remote(remote);
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

    private Map<String, Object> close(Request request, boolean force) throws IOException {
        long id = request.number("id");
        Own.Sock sock = own.of(request);
        if (sock.channel != null) {
            Subflows.close(sock.channel, id, force);
        } else {
            Subflows.close(sock.fd, id, force);
        }
        return Map.of();
    }

    private Map<String, Object> setBackup(Request request) throws IOException {
        long id = request.number("id");
        boolean yes = request.is("yes", false);
        Own.Sock sock = own.of(request);
        if (sock.channel != null) {
            Subflows.setBackup(sock.channel, id, yes);
        } else {
            Subflows.setBackup(sock.fd, id, yes);
        }
        return Map.of();
    }

    private Map<String, Object> announce(Request request) throws IOException {
        InetAddress ip = InetAddress.getByName(request.text("ip"));
        AnnounceOptions options =
                request.maybe("port")
                        .map(port -> AnnounceOptions.atPort(Integer.parseInt(port)))
                        .orElse(AnnounceOptions.defaults());
        Announced made =
                on(
                        request,
                        sock -> Subflows.announce(sock, ip, options),
                        fd -> Subflows.announce(fd, ip, options));
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
        Optional<Event> event = of(events, request).poll(timeout);
        return event.isPresent() ? Answer.record(event.get().toMap()) : Map.of();
    }

    private Map<String, Object> connections(Request request) throws IOException {
        ConnectionsOptions options =
                ConnectionsOptions.defaults().subflows(request.is("subflows", false));
        return Answer.list(maps(Subflows.connections(options), Connection::toMap));
    }
}
