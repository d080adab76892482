/*
 * Uses every function of the library once, and fails in most ways, on a real connection:
 * everything HOST PORT LOCAL [controlled], where HOST sends back what it receives and LOCAL is
 * a second address. With the last word, the network namespace controls all connections already.
 */
#include "check.h"

#include <errno.h>

static const char *host, *port;
static bool is_controlled;
static struct sockaddr_storage remote, second;
static socklen_t remote_length, second_length;

/* The options of one subflow. Without the right, and under valgrind without BPF, each call has one error. */
static void options(int fd, uint32_t id) {
    struct subflows_option_values values;
    CHECK(subflows_options(fd, id, &values, sizeof values) == 0);
    CHECK(values.present & SUBFLOWS_OPTION_VALUES_HAS_CONGESTION_CONTROL);
    char name[16];
    int option = SUBFLOWS_SUBFLOW_OPTION_CONGESTION_CONTROL;
    CHECK(subflows_get_option(fd, id, option, name, sizeof name) == 0);
    CHECK(strcmp(name, values.congestion_control) == 0);
    CHECK(subflows_get_option(fd, id, option, name, 1) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_get_option(fd, id, 999, name, sizeof name) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(strcmp(subflows_subflow_option_name(SUBFLOWS_SUBFLOW_OPTION_MARK), "Mark") == 0);

    uint32_t mark = 42;
    option = SUBFLOWS_SUBFLOW_OPTION_MARK;
    CHECK(subflows_set_option(fd, id, option, &mark, 3) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_set_option(fd, id, option, NULL, 4) == -SUBFLOWS_E_INVALID_ARGUMENT);
    int set = subflows_set_option(fd, id, option, &mark, sizeof mark);
    if (set != 0) {
        CHECK(set == -SUBFLOWS_E_NOT_PERMITTED || set == -SUBFLOWS_E_UNSUPPORTED);
        CHECK(subflows_set_raw_option(fd, id, 1, 36, &mark, sizeof mark) == set);
        CHECK(subflows_get_raw_option(fd, id, 1, 36, 4, &mark, sizeof mark) == set);
        return;
    }
    uint64_t number = 0;
    CHECK(subflows_get_option(fd, id, option, &number, sizeof number) == 0 && number == 42);
    mark = 0;
    CHECK(subflows_set_raw_option(fd, id, 1, 36, &mark, sizeof mark) == 0);
    mark = 7;
    CHECK(subflows_get_raw_option(fd, id, 1, 36, 4, &mark, sizeof mark) == 0 && mark == 0);
    CHECK(subflows_get_raw_option(fd, id, 1, 36, 4, &mark, 2) == -SUBFLOWS_E_INVALID_ARGUMENT);
}

/* The calls for programs of 2016; enhanced.c has the rest. */
static void enhanced(int fd) {
    unsigned char ids[66];
    socklen_t length = sizeof ids;
    CHECK(subflows_enhanced_getsockopt(fd, IPPROTO_TCP, 66, ids, &length) == 0 && ids[0] >= 1);
    int sock = subflows_enhanced_socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(sock >= 0);
    CHECK(subflows_enhanced_setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    CHECK(subflows_enhanced_setsockopt(sock, IPPROTO_TCP, 72, NULL, 32) == -1 && errno == EFAULT);
    close(sock);
}

static void reads(int fd, uint32_t id) {
    enhanced(fd);
    struct subflows_status status;
    CHECK(subflows_status(fd, &status, sizeof status) == 0);
    CHECK(status.state == SUBFLOWS_STATE_MPTCP && status.is_ready);
    CHECK(strcmp(subflows_state_name(status.state), "Mptcp") == 0);
    CHECK(strcmp(subflows_path_manager_name(status.path_manager), "Unknown") != 0);
    CHECK(strcmp(subflows_path_manager_name(-7), "Unknown") == 0);

    struct subflows_info info;
    CHECK(subflows_info(fd, &info, sizeof info) == 0);
    CHECK(info.token == status.token && info.write_sequence != 0);

    /* A larger element, as a later header may have it: the library sets its end to zero. */
    struct {
        struct subflows_subflow subflow;
        uint64_t later;
    } paths[8];
    memset(paths, 0xff, sizeof paths);
    int count = subflows_list(fd, NULL, 0, 0);
    CHECK(count >= 1);
    CHECK(subflows_list(fd, &paths[0].subflow, 8, sizeof paths[0]) == count);
    for (int i = 0; i < count; i++) {
        CHECK(paths[i].later == 0 && paths[i].subflow.id != 0);
        CHECK(*subflows_subflow_state_name(paths[i].subflow.state) != 0);
    }
    CHECK(paths[count].later == UINT64_MAX);

    struct subflows_details *details = malloc(sizeof *details);
    CHECK(subflows_details(fd, id, details, sizeof *details) == 0);
    CHECK(strlen(details->congestion_control) > 0 && details->cookie != 0);
    /* A smaller element, as in an older header. */
    details = realloc(details, offsetof(struct subflows_details, cookie));
    CHECK(subflows_details(fd, id, details, offsetof(struct subflows_details, cookie)) == 0);
    free(details);
    options(fd, id);

    struct subflows_address addresses[8];
    count = subflows_addresses(fd, addresses, 8, sizeof addresses[0]);
    CHECK(count >= 1 && addresses[0].ip.ss_family == remote.ss_family);
    /* The peer announces none. Without control, nothing follows the connection. */
    struct subflows_peer_address announced;
    count = subflows_peer_addresses(fd, &announced, 1, sizeof announced);
    CHECK(count == 0 || count == -SUBFLOWS_E_INVALID_STATE);

    struct subflows_connection connection;
    CHECK(subflows_connection(status.token, &connection, sizeof connection) == 0);
    CHECK(connection.token == status.token);
}

static void lists(void) {
    struct subflows_connections_options options = {.subflows = true, .processes = true};
    struct subflows_connections *connections;
    struct subflows_connection connection;
    struct subflows_details details[4];
    struct subflows_process_info processes[4];
    CHECK(subflows_connections(&options, sizeof options, &connections) == 0);
    CHECK(subflows_connections_subflows(connections, details, 4, sizeof details[0]) ==
          -SUBFLOWS_E_INVALID_STATE);
    CHECK(subflows_connections_processes(connections, processes, 4, sizeof processes[0]) ==
          -SUBFLOWS_E_INVALID_STATE);
    int count = 0, held = 0, more;
    while ((more = subflows_connections_next(connections, &connection, sizeof connection)) == 1) {
        CHECK(subflows_connections_subflows(connections, details, 4, sizeof details[0]) >= 0);
        int holders =
            subflows_connections_processes(connections, processes, 4, sizeof processes[0]);
        for (int i = 0; i < holders && i < 4; i++)
            held += processes[i].pid == (uint32_t)getpid() && strlen(processes[i].name) > 0;
        count++;
    }
    CHECK(more == 0 && count > 0 && held > 0);
    CHECK(subflows_connections_next(connections, &connection, sizeof connection) == 0);
    subflows_connections_close(connections);
    subflows_connections_close(NULL);

    struct subflows_capabilities *capabilities;
    struct subflows_capability capability;
    size_t letters = 0;
    CHECK(subflows_capabilities(&capabilities) == 0);
    while ((more = subflows_capabilities_next(capabilities, &capability, sizeof capability)) == 1) {
        letters += strlen(capability.name) + strlen(capability.purpose);
        letters += capability.is_available ? 0 : strlen(capability.cause);
    }
    CHECK(more == 0 && letters > 0);
    subflows_capabilities_close(capabilities);
    subflows_capabilities_close(NULL);
    CHECK(strlen(subflows_version()) > 0);
}

/* What belongs to the whole network namespace. */
static void namespace_wide(void) {
    struct subflows_add_endpoint_options options = {.id = 9, .has_id = true, .backup = true};
    struct sockaddr_in nowhere = {.sin_family = AF_INET};
    struct subflows_endpoint endpoint, endpoints[8];
    inet_pton(AF_INET, "192.0.2.9", &nowhere.sin_addr);
    CHECK(subflows_add_endpoint((struct sockaddr *)&nowhere, sizeof nowhere, &options,
                                sizeof options, &endpoint, sizeof endpoint) == 0);
    CHECK(endpoint.id == 9 && endpoint.is_backup && endpoint.present == 0);
    CHECK(subflows_set_endpoint_backup(9, 0) == 0);
    CHECK(subflows_set_endpoint_fullmesh(9, 1) == 0);
    CHECK(subflows_endpoints(endpoints, 8, sizeof endpoints[0]) == 1);
    CHECK(endpoints[0].is_fullmesh && !endpoints[0].is_backup);
    CHECK(memcmp(&endpoints[0].address, &endpoint.address, sizeof endpoint.address) == 0);
    CHECK(subflows_remove_endpoint(9) == 0);
    CHECK(subflows_remove_endpoint(9) == -SUBFLOWS_E_NO_SUCH_ENDPOINT);
    CHECK(subflows_flush_endpoints() == 0);

    struct subflows_limits limits;
    CHECK(subflows_limits(&limits, sizeof limits) == 0);
    CHECK(subflows_set_limits(limits.subflows, limits.add_addr_accepted) == 0);
    CHECK(subflows_set_limits(65, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);

    struct subflows_settings settings;
    CHECK(subflows_settings(&settings, sizeof settings) == 0);
    CHECK(settings.present & SUBFLOWS_SETTINGS_HAS_ENABLED && settings.enabled);
    if (settings.present & SUBFLOWS_SETTINGS_HAS_AVAILABLE_SCHEDULERS)
        CHECK(strstr(settings.available_schedulers, "default") != NULL);
    CHECK(subflows_set_setting("enabled", "1") == 0);
    CHECK(subflows_set_setting("enabled", "perhaps") == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_set_setting(NULL, "1") == -SUBFLOWS_E_INVALID_ARGUMENT);

    struct subflows_counter counters[256];
    int count = subflows_counters(counters, 256, sizeof counters[0]), found = 0;
    CHECK(count > 10 && count <= 256);
    for (int i = 0; i < count; i++)
        found += strcmp(counters[i].name, "MPCapableSYNTX") == 0 && counters[i].value > 0;
    CHECK(found == 1);
}

/* What is found is read, and is named. */
static void examines(int fd) {
    struct subflows_doctor_options options = {.timeout_ms = 2000};
    struct subflows_finding findings[64];
    size_t letters = 0;
    int count = subflows_doctor(&options, sizeof options, findings, 64, sizeof findings[0]);
    CHECK(count > 0 && subflows_doctor(NULL, 0, NULL, 0, sizeof findings[0]) == count);
    CHECK(subflows_diagnose(fd, findings, 64, sizeof findings[0]) >= 0);
    int idle = subflows_socket(AF_INET);
    count = subflows_diagnose(idle, findings, 64, sizeof findings[0]);
    CHECK(count > 0 && findings[0].kind == SUBFLOWS_FINDING_KIND_NOT_CONNECTED);
    for (int i = 0; i < count; i++) {
        letters += strlen(findings[i].explanation) + strlen(findings[i].remedy);
        CHECK(strcmp(subflows_finding_kind_name(findings[i].kind), "Unknown") != 0);
        CHECK(strcmp(subflows_severity_name(findings[i].severity), "Unknown") != 0);
    }
    CHECK(letters > 0);
    CHECK(close(idle) == 0);
    CHECK(subflows_diagnose(-1, findings, 64, sizeof findings[0]) == -SUBFLOWS_E_INVALID_ARGUMENT);
}

/* In one call, and in steps. */
static void probes(void) {
    struct subflows_probe_options options = {.timeout_ms = SOON_MS, .data = "?"};
    struct subflows_probe_report report;
    struct sockaddr *to = (struct sockaddr *)&remote;
    CHECK(subflows_probe(to, remote_length, NULL, 0, &report, sizeof report) == 0);
    CHECK(report.verdict == SUBFLOWS_VERDICT_MPTCP);
    CHECK(strcmp(subflows_verdict_name(report.verdict), "Mptcp") == 0);
    CHECK(report.present & SUBFLOWS_PROBE_REPORT_HAS_HANDSHAKE_US);
    CHECK(subflows_probe(NULL, 0, NULL, 0, &report, sizeof report) == -SUBFLOWS_E_INVALID_ARGUMENT);

    struct subflows_probing *probing;
    int done = 0;
    CHECK(subflows_probing_begin(to, remote_length, &options, sizeof options, &probing) == 0);
    while (!done) {
        struct pollfd poll_fd = {.fd = subflows_probing_fd(probing), .events = POLLIN};
        poll(&poll_fd, 1, subflows_probing_timeout_ms(probing));
        done = subflows_probing_advance(probing, &report, sizeof report);
        CHECK(done >= 0);
    }
    CHECK(report.verdict == SUBFLOWS_VERDICT_MPTCP);
    subflows_probing_cancel(probing);
    subflows_probing_cancel(NULL);
}

static uint32_t opens(int fd) {
    struct subflows_open_options options = {.local = (struct sockaddr *)&second,
                                            .local_length = second_length,
                                            .timeout_ms = SOON_MS};
    struct subflows_subflow subflow;
    CHECK(subflows_open(fd, &options, sizeof options, &subflow, sizeof subflow) == 0);
    CHECK(subflow.state == SUBFLOWS_SUBFLOW_STATE_ESTABLISHED);
    CHECK(subflows_set_backup(fd, subflow.id, 1) == 0);
    CHECK(subflows_close(fd, subflow.id) == 0);
    CHECK(subflows_close(fd, subflow.id) == -SUBFLOWS_E_NO_SUCH_SUBFLOW);

    struct subflows_opening *opening;
    int done = 0;
    CHECK(subflows_opening_begin(fd, &options, sizeof options, &opening) == 0);
    while (!done) {
        struct pollfd poll_fd = {.fd = subflows_opening_fd(opening), .events = POLLIN};
        CHECK(subflows_opening_timeout_ms(opening) > 0);
        poll(&poll_fd, 1, subflows_opening_timeout_ms(opening));
        done = subflows_opening_advance(opening, &subflow, sizeof subflow);
        CHECK(done >= 0);
    }
    CHECK(subflows_opening_advance(opening, &subflow, sizeof subflow) == -SUBFLOWS_E_INVALID_STATE);
    subflows_opening_cancel(opening);

    /* Cancelled at once. */
    CHECK(subflows_opening_begin(fd, &options, sizeof options, &opening) == 0);
    subflows_opening_cancel(opening);
    subflows_opening_cancel(NULL);
    return subflow.id;
}

static void announces(int fd) {
    struct subflows_announce_options options = {.has_port = true};
    struct subflows_announced *announced;
    struct sockaddr_storage address;
    CHECK(subflows_announce(fd, (struct sockaddr *)&second, second_length, &options, sizeof options,
                            &announced) == 0);
    CHECK(subflows_announced_id(announced) > 0);
    CHECK(subflows_announced_address(announced, &address) == 0);
    /* A connection that does not come from the peer. */
    int stranger = socket(address.ss_family, SOCK_STREAM, 0);
    CHECK(connect(stranger, (struct sockaddr *)&address, length_of(&address)) == 0);
    wait_for(subflows_announced_fd(announced), POLLIN);
    CHECK(subflows_announced_turn_away(announced) == 1);
    char byte;
    CHECK(recv(stranger, &byte, 1, 0) == -1 && errno == ECONNRESET);
    close(stranger);
    CHECK(subflows_announced_withdraw(announced) == 0);
    CHECK(subflows_announced_withdraw(NULL) == 0);

    CHECK(subflows_announce(fd, (struct sockaddr *)&second, second_length, NULL, 0, &announced) ==
          0);
    CHECK(subflows_announced_fd(announced) == -SUBFLOWS_E_INVALID_STATE);
    CHECK(subflows_announced_withdraw(announced) == 0);
}

static void follows(struct subflows_events *events, int kind) {
    struct subflows_event event;
    do {
        CHECK(subflows_events_next(events, &event, sizeof event, SOON_MS) == 1);
        CHECK(*subflows_event_kind_name(event.kind) != 0);
    } while (event.kind != kind);
}

static int connects(void) {
    struct subflows_connect_options options = {.control = !is_controlled, .timeout_ms = SOON_MS};
    struct subflows_connecting *connecting;
    CHECK(subflows_connecting_begin((struct sockaddr *)&remote, remote_length, &options,
                                    sizeof options, &connecting) == 0);
    subflows_connecting_cancel(connecting);
    subflows_connecting_cancel(NULL);
    CHECK(subflows_connecting_begin((struct sockaddr *)&remote, remote_length, &options,
                                    sizeof options, &connecting) == 0);
    CHECK(subflows_connecting_timeout_ms(connecting) > 0);
    wait_for(subflows_connecting_fd(connecting), POLLOUT);
    CHECK(subflows_connecting_advance(connecting) == 1);
    CHECK(subflows_connecting_advance(connecting) == 1);
    int fd = subflows_connecting_finish(connecting);
    CHECK(fd >= 0);
    moves_data(fd);
    close(fd);

    /* Finished too early, the handle is closed as well. */
    CHECK(subflows_connecting_begin((struct sockaddr *)&remote, remote_length, NULL, 0,
                                    &connecting) == 0);
    CHECK(subflows_connecting_finish(connecting) == -SUBFLOWS_E_INVALID_STATE);

    fd = subflows_connect(host, port, &options, sizeof options);
    CHECK(fd >= 0);
    moves_data(fd);
    return fd;
}

static void makes_sockets(void) {
    int fd = subflows_socket(remote.ss_family);
    CHECK(fd >= 0);
    CHECK(is_controlled || subflows_take_control(fd) == 0);
    close(fd);
    fd = socket(remote.ss_family, SOCK_STREAM, 0);
    CHECK(subflows_upgrade(fd) == 0);
    close(fd);
    struct subflows_listen_options options = {.backlog = 3};
    fd = subflows_listen(NULL, "0", &options, sizeof options);
    CHECK(fd >= 0);
    CHECK(subflows_take_control(fd) == -SUBFLOWS_E_INVALID_STATE);
    close(fd);
}

static void fails(void) {
    struct subflows_error error;
    int refused = subflows_connect(host, "no such service", NULL, 0);
    CHECK(refused == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_last_error(&error, sizeof error) == 0);
    CHECK(error.kind == SUBFLOWS_E_INVALID_ARGUMENT && strcmp(error.operation, "connect") == 0);
    CHECK(strlen(error.message) > 0 && strlen(error.remedy) > 0 && strlen(error.detail) > 0);
    CHECK(strcmp(subflows_error_name(refused), "InvalidArgument") == 0);
    /* The kernel's explanation, if it gave one. */
    struct subflows_connection connection;
    CHECK(subflows_connection(1, &connection, sizeof connection) == -SUBFLOWS_E_CLOSED);
    CHECK(subflows_last_error(&error, sizeof error) == 0);
    CHECK(error.kernel_text == NULL || strlen(error.kernel_text) > 0);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    host = argv[1];
    port = argv[2];
    is_controlled = argc > 4;
    remote_length = parse(host, port, &remote);
    second_length = parse(argv[3], NULL, &second);

    struct subflows_events *namespace_events, *events;
    CHECK(subflows_events_of_namespace(&namespace_events) == 0);
    makes_sockets();
    int fd = connects();
    follows(namespace_events, SUBFLOWS_EVENT_KIND_ESTABLISHED);
    subflows_events_close(namespace_events);

    CHECK(subflows_events(fd, &events) == 0);
    CHECK(subflows_events_set_buffer(events, 65536) == 0);
    CHECK(subflows_events_fd(events) >= 0);
    announces(fd);
    uint32_t id = opens(fd);
    follows(events, SUBFLOWS_EVENT_KIND_SUBFLOW_ESTABLISHED);
    subflows_events_close(events);
    subflows_events_close(NULL);
    reads(fd, id);
    lists();
    probes();
    namespace_wide();
    examines(fd);
    fails();
    moves_data(fd);

    struct subflows_subflow paths[8];
    int count = subflows_list(fd, paths, 8, sizeof paths[0]);
    CHECK(count >= 1);
    while (--count > 0)
        CHECK(subflows_close(fd, paths[count].id) == 0);
    CHECK(subflows_close(fd, paths[0].id) == -SUBFLOWS_E_INVALID_STATE);
    CHECK(subflows_force_close(fd, paths[0].id) == 0);
    close(fd);
    return 0;
}
