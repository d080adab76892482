/*
 * Calls every function with what no program should pass: wrong sizes, NULL, descriptors of other
 * kinds, closed ones, bad addresses, texts without an end. Everything that is passed ends where a
 * page ends, and the memory that must not be written is checked after each call.
 *
 * fuzz SEED SECONDS HOST PORT LOCAL, where HOST sends back what it receives. The same seed makes the
 * same calls.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#define CHOICE(w, list) ((list)[below(w, sizeof(list) / sizeof *(list))])

static const char *host, *port;
static struct sockaddr_storage remote, second;

static int an_fd(struct world *w) {
    static const int none[] = {-1, -2, INT_MIN, INT_MAX, 1 << 20};
    if (below(w, 2))
        return w->fds[0];
    return below(w, 8) ? CHOICE(w, w->fds) : CHOICE(w, none);
}

static uint32_t an_id(struct world *w) {
    struct subflows_subflow paths[16];
    int count = subflows_list(w->fds[0], paths, 16, sizeof paths[0]);
    if (below(w, 3) == 0 || count <= 0)
        return below(w, 2) ? below(w, 12) : (uint32_t)next(w);
    return paths[below(w, count > 16 ? 16 : count)].id;
}

static const char *a_text(struct world *w, int fence, const char *usual) {
    static const char *const texts[] = {"", "0", "eth0", "eth1", "lo", "::", "0.0.0.0", "\xff\xfe",
                                        "-1", "99999", "http", "127.0.0.1", "::1", "%n%s", " "};
    uint64_t which = below(w, 6);
    if (which == 0)
        return NULL;
    if (which == 1)
        return memset(fenced(w, fence, 4096), 'x', 4096);
    const char *text = which == 2 ? CHOICE(w, texts) : usual;
    return memcpy(fenced(w, fence, strlen(text) + 1), text, strlen(text) + 1);
}

static const struct sockaddr *an_address(struct world *w, int fence, socklen_t *length) {
    static const socklen_t lengths[] = {0, 1, 2, 15, 16, 27, 28, 128, UINT32_MAX};
    static const sa_family_t families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 65535};
    struct sockaddr_storage address = below(w, 2) ? remote : second;
    *length = length_of(&address);
    if (below(w, 8) == 0)
        return NULL;
    if (below(w, 4) == 0)
        *length = CHOICE(w, lengths);
    if (below(w, 4) == 0)
        address.ss_family = CHOICE(w, families);
    if (below(w, 4) == 0)
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)next(w));
    size_t size = *length > sizeof address ? sizeof address : *length;
    return memcpy(fenced(w, fence, size), &address, size);
}

/* Numeric addresses only: this network has no name server. */
static const char *a_host(struct world *w, const char *usual) {
    static const char *const hosts[] = {"", "::", "0.0.0.0", "127.0.0.1", "::1", "\xff\xfe", "::%lo"};
    if (below(w, 4) == 0)
        usual = CHOICE(w, hosts);
    return below(w, 8) ? memcpy(fenced(w, 4, strlen(usual) + 1), usual, strlen(usual) + 1) : NULL;
}

/* Short timeouts mostly, and never an infinite one, because these calls wait. */
static uint32_t a_moment(struct world *w) { return 1 + below(w, 20); }

static const void *open_options(struct world *w, size_t *size, bool waits) {
    struct subflows_open_options options;
    scramble(w, &options, sizeof options);
    options.local = an_address(w, 1, &options.local_length);
    options.remote = an_address(w, 2, &options.remote_length);
    options.interface = a_text(w, 3, "eth1");
    if (below(w, 2))
        options.interface = NULL;
    if (waits)
        options.timeout_ms = a_moment(w);
    const size_t least = offsetof(struct subflows_open_options, local_port);
    return an_options(w, &options, sizeof options, size, waits ? least : 0);
}

static const void *connect_options(struct world *w, size_t *size, bool waits) {
    struct subflows_connect_options options;
    scramble(w, &options, sizeof options);
    options.local = below(w, 2) ? NULL : an_address(w, 1, &options.local_length);
    options.interface = below(w, 2) ? NULL : a_text(w, 3, "eth0");
    if (waits)
        options.timeout_ms = a_moment(w);
    const size_t least = offsetof(struct subflows_connect_options, control);
    return an_options(w, &options, sizeof options, size, waits ? least : 0);
}

static void makes_sockets(struct world *w) {
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, -1, INT_MIN, INT_MAX};
    size_t size;
    int fd = -1;
    switch (below(w, 3)) {
    case 0:
        fd = told(w, subflows_socket(CHOICE(w, families)));
        break;
    case 1: {
        const void *options = connect_options(w, &size, true);
        const char *to = a_host(w, host);
        fd = told(w, subflows_connect(to, a_text(w, 5, port), options, size));
        break;
    }
    default: {
        struct subflows_listen_options options;
        scramble(w, &options, sizeof options);
        options.interface = below(w, 2) ? NULL : a_text(w, 1, "eth0");
        const void *given = an_options(w, &options, sizeof options, &size, 0);
        const char *at = a_host(w, "::");
        fd = told(w, subflows_listen(at, a_text(w, 5, "0"), given, size));
    }
    }
    if (fd >= 0)
        close(fd);
}

static void connects(struct world *w) {
    socklen_t length;
    size_t size;
    if (below(w, 4) == 0) {
        subflows_connecting_cancel(w->connecting);
        w->connecting = NULL;
        const void *options = connect_options(w, &size, false);
        const struct sockaddr *to = an_address(w, 4, &length);
        bool is_null = below(w, 8) == 0;
        told(w, subflows_connecting_begin(to, length, options, size, is_null ? NULL : &w->connecting));
    }
    subflows_connecting_timeout_ms(w->connecting);
    told(w, subflows_connecting_fd(w->connecting));
    told(w, subflows_connecting_advance(w->connecting));
    if (below(w, 4) == 0) {
        int fd = told(w, subflows_connecting_finish(w->connecting));
        w->connecting = NULL;
        if (fd >= 0)
            close(fd);
    }
}

static void reads(struct world *w) {
    size_t size;
    void *out;
    int fd = an_fd(w);
    switch (below(w, 5)) {
    case 0:
        out = an_out(w, sizeof(struct subflows_status), &size);
        filled(w, subflows_status(fd, out, size) == 0, size);
        break;
    case 1:
        out = an_out(w, sizeof(struct subflows_info), &size);
        filled(w, subflows_info(fd, out, size) == 0, size);
        break;
    case 2: {
        uint32_t id = an_id(w);
        out = an_out(w, sizeof(struct subflows_details), &size);
        filled(w, subflows_details(fd, id, out, size) == 0, size);
        break;
    }
    case 3: {
        uint32_t token = below(w, 2) ? w->token : (uint32_t)next(w);
        out = an_out(w, sizeof(struct subflows_connection), &size);
        filled(w, subflows_connection(token, out, size) == 0, size);
        break;
    }
    default: {
        struct subflows_error error;
        out = an_out(w, sizeof error, &size);
        filled(w, subflows_last_error(out, size) == 0, size);
        CHECK(subflows_last_error(&error, sizeof error) == 0);
        CHECK(!error.message || strlen(error.message) + strlen(error.remedy) > 0);
        CHECK(!error.detail || strlen(error.detail) < 100000);
    }
    }
}

static void lists(struct world *w) {
    size_t size, room;
    int fd = an_fd(w);
    if (below(w, 2)) {
        void *out = an_array(w, sizeof(struct subflows_subflow), &size, &room);
        filled_array(w, subflows_list(fd, out, room, size), room, size);
    } else {
        void *out = an_array(w, sizeof(struct subflows_address), &size, &room);
        int count = subflows_addresses(fd, out, room, size);
        filled_array(w, count, room, size);
        w->addresses_max = count > w->addresses_max ? count : w->addresses_max;
    }
}

static void opens(struct world *w) {
    size_t size, out_size;
    const void *options = open_options(w, &size, true);
    void *out = an_out(w, sizeof(struct subflows_subflow), &out_size);
    int result = told(w, subflows_open(an_fd(w), options, size, out, out_size));
    filled(w, result == 0 && out, out_size);
    w->opened += result == 0;
}

static void opening(struct world *w) {
    size_t size;
    if (below(w, 4) == 0) {
        subflows_opening_cancel(w->opening);
        w->opening = NULL;
        const void *options = open_options(w, &size, false);
        bool is_null = below(w, 8) == 0;
        told(w, subflows_opening_begin(an_fd(w), options, size, is_null ? NULL : &w->opening));
    }
    told(w, subflows_opening_fd(w->opening));
    subflows_opening_timeout_ms(w->opening);
    void *out = an_out(w, sizeof(struct subflows_subflow), &size);
    filled(w, told(w, subflows_opening_advance(w->opening, out, size)) == 1 && out, size);
}

static void steers(struct world *w) {
    int fd = an_fd(w);
    switch (below(w, 6)) {
    case 0:
        told(w, subflows_close(fd, an_id(w)));
        break;
    case 1:
        told(w, below(w, 20) ? 0 : subflows_force_close(fd, an_id(w)));
        break;
    case 2:
        told(w, subflows_take_control(fd));
        break;
    case 3:
        told(w, subflows_upgrade(fd));
        break;
    default:
        told(w, subflows_set_backup(fd, an_id(w), (int)next(w)));
    }
}

static void announces(struct world *w) {
    size_t size;
    if (below(w, 4) == 0) {
        told(w, subflows_announced_withdraw(w->announced));
        w->announced = NULL;
        struct subflows_announce_options options;
        scramble(w, &options, sizeof options);
        const void *given = an_options(w, &options, sizeof options, &size, 0);
        socklen_t length;
        const struct sockaddr *address = an_address(w, 4, &length);
        bool is_null = below(w, 8) == 0;
        told(w, subflows_announce(an_fd(w), address, length, given, size,
                                  is_null ? NULL : &w->announced));
        w->announcements += w->announced != NULL;
    }
    told(w, subflows_announced_id(w->announced));
    told(w, subflows_announced_fd(w->announced));
    told(w, subflows_announced_turn_away(w->announced));
    struct sockaddr_storage *out = out_of(w, sizeof *out);
    bool is_null = below(w, 8) == 0;
    int result = told(w, subflows_announced_address(w->announced, is_null ? NULL : out));
    filled(w, result == 0, sizeof *out);
}

static void follows(struct world *w) {
    size_t size;
    if (below(w, 8) == 0) {
        subflows_events_close(w->events);
        w->events = NULL;
        struct subflows_events **out = below(w, 8) ? &w->events : NULL;
        told(w, below(w, 2) ? subflows_events(an_fd(w), out) : subflows_events_of_namespace(out));
    }
    told(w, subflows_events_fd(w->events));
    if (below(w, 16) == 0)
        told(w, subflows_events_set_buffer(w->events, (uint32_t)next(w)));
    void *out = an_out(w, sizeof(struct subflows_event), &size);
    filled(w, told(w, subflows_events_next(w->events, out, size, below(w, 3))) == 1, size);
}

static void takes(struct world *w) {
    size_t size, room;
    if (below(w, 8) == 0) {
        subflows_connections_close(w->connections);
        w->connections = NULL;
        struct subflows_connections_options options;
        scramble(w, &options, sizeof options);
        const void *given = an_options(w, &options, sizeof options, &size, 0);
        told(w, subflows_connections(given, size, below(w, 8) ? &w->connections : NULL));
        subflows_capabilities_close(w->capabilities);
        w->capabilities = NULL;
        told(w, subflows_capabilities(below(w, 8) ? &w->capabilities : NULL));
    }
    void *out = an_out(w, sizeof(struct subflows_connection), &size);
    filled(w, told(w, subflows_connections_next(w->connections, out, size)) == 1, size);
    out = an_array(w, sizeof(struct subflows_details), &size, &room);
    filled_array(w, subflows_connections_subflows(w->connections, out, room, size), room, size);
    out = an_array(w, sizeof(struct subflows_process_info), &size, &room);
    filled_array(w, subflows_connections_processes(w->connections, out, room, size), room, size);
    out = an_out(w, sizeof(struct subflows_capability), &size);
    filled(w, told(w, subflows_capabilities_next(w->capabilities, out, size)) == 1, size);
}

/* Changes of the namespace would also concern the other threads, so only those that fail are tried. */
static void namespace_wide(struct world *w) {
    size_t size, room;
    void *out = an_array(w, sizeof(struct subflows_endpoint), &size, &room);
    filled_array(w, subflows_endpoints(out, room, size), room, size);
    out = an_out(w, sizeof(struct subflows_limits), &size);
    filled(w, told(w, subflows_limits(out, size)) == 0, size);
    out = an_out(w, sizeof(struct subflows_settings), &size);
    filled(w, told(w, subflows_settings(out, size)) == 0, size);
    out = an_array(w, sizeof(struct subflows_counter), &size, &room);
    filled_array(w, subflows_counters(out, room, size), room, size);
    out = an_array(w, sizeof(struct subflows_finding), &size, &room);
    /* Of a text that is not a name: nothing is sent. */
    CHECK(told(w, subflows_probe(NULL, 0, NULL, 0, out, size)) < 0);
    filled_array(w, subflows_diagnose(an_fd(w), out, room, size), room, size);
    CHECK(told(w, subflows_remove_endpoint(0)) < 0);
    CHECK(told(w, subflows_set_setting(below(w, 2) ? NULL : "", below(w, 2) ? NULL : "1")) < 0);
    CHECK(told(w, subflows_set_limits(65 + (uint32_t)below(w, 9), (uint32_t)next(w))) < 0);
}

/* The longest value of an option. */
enum { VALUE = 32 };

static void sets(struct world *w) {
    int fd = an_fd(w), option = below(w, 8) ? 1 + (int)below(w, 17) : (int)next(w);
    uint32_t id = an_id(w), level = below(w, 2) ? SOL_SOCKET : IPPROTO_TCP, number = below(w, 64);
    if (below(w, 8) == 0)
        level = (uint32_t)next(w);
    if (below(w, 8) == 0)
        number = (uint32_t)next(w);
    size_t size = below(w, 8) ? (size_t)1 << below(w, 6) : a_size(w, VALUE);
    size_t reach = size < ROOM ? size : ROOM;
    void *value = NULL;
    switch (below(w, 5)) {
    case 0:
    case 1:
        if (reach == 0 || below(w, 16))
            value = fenced(w, 0, reach);
        if (value && reach)
            scramble(w, value, reach);
        told(w, below(w, 2) ? subflows_set_option(fd, id, option, value, size)
                            : subflows_set_raw_option(fd, id, level, number, value, size));
        break;
    case 2: {
        struct subflows_option_values *values = an_out(w, sizeof *values, &size);
        filled(w, told(w, subflows_options(fd, id, values, size)) == 0, size);
        break;
    }
    default: {
        unsigned char *out = out_of(w, reach);
        value = below(w, 16) ? out : NULL;
        int result = below(w, 2) ? subflows_get_option(fd, id, option, value, size)
                                 : subflows_get_raw_option(fd, id, level, number, below(w, 40), value, size);
        told(w, result);
        is_marked(w, value && result == 0 ? (size < VALUE ? size : VALUE) : 0);
    }
    }
}

static void names(struct world *w) {
    int number = below(w, 2) ? (int)below(w, 300) - 20 : (int)next(w);
    CHECK(*subflows_error_name(number) && *subflows_state_name(number));
    CHECK(*subflows_path_manager_name(number) && *subflows_subflow_state_name(number));
    CHECK(*subflows_event_kind_name(number) && *subflows_version());
}

/* A failure is written as far as its size goes, and no further. */
static void fails(struct world *w) {
    struct subflows_status status;
    size_t size;
    void *out = an_out(w, sizeof(struct subflows_failure), &size);
    bool is_valid = size >= 8 && size <= 65536 && size % 8 == 0;
    told(w, below(w, 2) ? subflows_status_e(an_fd(w), &status, sizeof status, out, size)
                        : subflows_close_e(an_fd(w), an_id(w), out, size));
    is_marked(w, out && is_valid ? size : 0);
    /* Closes the handle in any case. */
    if (below(w, 8) == 0) {
        out = an_out(w, sizeof(struct subflows_failure), &size);
        told(w, subflows_announced_withdraw_e(w->announced, out, size));
        w->announced = NULL;
    }
}

static void forget(struct world *w) {
    subflows_connecting_cancel(w->connecting);
    subflows_opening_cancel(w->opening);
    subflows_announced_withdraw(w->announced);
    subflows_events_close(w->events);
    subflows_connections_close(w->connections);
    subflows_capabilities_close(w->capabilities);
    w->connecting = NULL;
    w->opening = NULL;
    w->announced = NULL;
    w->events = NULL;
    w->connections = NULL;
    w->capabilities = NULL;
}

/* A new connection that replaces the one used so far. */
static void begin(struct world *w) {
    struct subflows_connect_options options = {.control = true, .timeout_ms = SOON_MS};
    struct subflows_status status;
    forget(w);
    close_fds(w);
    w->fds[0] = subflows_connect(host, port, &options, sizeof options);
    CHECK(w->fds[0] >= 0);
    moves_data(w->fds[0]);
    CHECK(subflows_status(w->fds[0], &status, sizeof status) == 0);
    w->token = status.token;
    other_kinds(w->fds, remote.ss_family, (struct sockaddr *)&remote);
}

static void *calls(void *given) {
    static void (*const acts[])(struct world *) = {makes_sockets, connects, reads,     reads, lists,
                                                   opens,         opening,  steers,    names, takes,
                                                   announces,     follows,  announces, opening, fails,
                                                   sets,          namespace_wide};
    struct world *w = given;
    make_room(w);
    for (w->rounds = 0; !is_over(w); w->rounds++) {
        if (w->rounds % 512 == 0)
            begin(w);
        CHOICE(w, acts)(w);
    }
    forget(w);
    close_fds(w);
    give_room_back(w);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6)
        return 2;
    host = argv[3];
    port = argv[4];
    parse(host, port, &remote);
    parse(argv[5], NULL, &second);
    signal(SIGPIPE, SIG_IGN);
    return in_threads(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), calls);
}
