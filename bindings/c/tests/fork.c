/*
 * Forks with a handle of every kind open, and checks that the child, which uses the reading verbs
 * and closes every handle, undoes nothing of its parent's:
 * fork HOST PORT LOCAL NOBODY, where NOBODY is an address that does not answer.
 */
#include "check.h"

#include <sys/wait.h>

static struct sockaddr_storage remote, second, nobody;
static socklen_t remote_length, second_length, nobody_length;

/* Everything that was open when it forked. */
struct handles {
    struct subflows_opening *opening;
    struct subflows_connecting *connecting;
    struct subflows_announced *announced;
    struct subflows_events *events;
    struct subflows_connections *connections;
    struct subflows_capabilities *capabilities;
};

static void reads(int fd, uint32_t token) {
    struct subflows_status status;
    struct subflows_info info;
    struct subflows_subflow paths[8];
    struct subflows_details details;
    struct subflows_address addresses[8];
    struct subflows_connection connection;
    CHECK(subflows_status(fd, &status, sizeof status) == 0);
    CHECK(status.token == token && status.state == SUBFLOWS_STATE_MPTCP);
    CHECK(subflows_info(fd, &info, sizeof info) == 0 && info.token == token);
    int count = subflows_list(fd, paths, 8, sizeof paths[0]);
    CHECK(count >= 2);
    CHECK(subflows_details(fd, paths[0].id, &details, sizeof details) == 0);
    CHECK(subflows_addresses(fd, addresses, 8, sizeof addresses[0]) >= 1);
    CHECK(subflows_connection(token, &connection, sizeof connection) == 0);
    CHECK(connection.token == token);
}

static uint32_t opened(int fd) {
    struct subflows_open_options options = {.local = (struct sockaddr *)&second,
                                            .local_length = second_length,
                                            .timeout_ms = SOON_MS};
    struct subflows_subflow subflow;
    CHECK(subflows_open(fd, &options, sizeof options, &subflow, sizeof subflow) == 0);
    return subflow.id;
}

static void open_all(int fd, struct handles *handles) {
    struct subflows_open_options unanswered = {.local = (struct sockaddr *)&second,
                                               .local_length = second_length,
                                               .remote = (struct sockaddr *)&nobody,
                                               .remote_length = nobody_length,
                                               .timeout_ms = SOON_MS};
    struct subflows_announce_options with_port = {.has_port = true};
    CHECK(subflows_opening_begin(fd, &unanswered, sizeof unanswered, &handles->opening) == 0);
    CHECK(subflows_opening_fd(handles->opening) >= 0);
    CHECK(subflows_connecting_begin((struct sockaddr *)&remote, remote_length, NULL, 0,
                                    &handles->connecting) == 0);
    CHECK(subflows_announce(fd, (struct sockaddr *)&second, second_length, &with_port,
                            sizeof with_port, &handles->announced) == 0);
    CHECK(subflows_events(fd, &handles->events) == 0);
    CHECK(subflows_connections(NULL, 0, &handles->connections) == 0);
    CHECK(subflows_capabilities(&handles->capabilities) == 0);
}

static void close_all(const struct handles *handles) {
    subflows_opening_cancel(handles->opening);
    subflows_connecting_cancel(handles->connecting);
    subflows_announced_withdraw(handles->announced);
    subflows_events_close(handles->events);
    subflows_connections_close(handles->connections);
    subflows_capabilities_close(handles->capabilities);
}

static int count_in_state(int fd, int state) {
    struct subflows_subflow paths[16];
    int count = subflows_list(fd, paths, 16, sizeof paths[0]), found = 0;
    CHECK(count >= 0 && count <= 16);
    for (int i = 0; i < count; i++)
        found += paths[i].state == state;
    return found;
}

static bool is_announced(int fd, int id) {
    struct subflows_address addresses[16];
    int count = subflows_addresses(fd, addresses, 16, sizeof addresses[0]);
    CHECK(count >= 0 && count <= 16);
    for (int i = 0; i < count; i++)
        if (addresses[i].id == id)
            return true;
    return false;
}

/* The parent's handles, after the child has closed its copies. */
static void still_works(int fd, struct handles *handles) {
    CHECK(count_in_state(fd, SUBFLOWS_SUBFLOW_STATE_SYN_SENT) == 1);
    CHECK(subflows_opening_advance(handles->opening, NULL, 0) == 0);
    subflows_opening_cancel(handles->opening);
    CHECK(count_in_state(fd, SUBFLOWS_SUBFLOW_STATE_SYN_SENT) == 0);

    wait_for(subflows_connecting_fd(handles->connecting), POLLOUT);
    CHECK(subflows_connecting_advance(handles->connecting) == 1);
    int other = subflows_connecting_finish(handles->connecting);
    CHECK(other >= 0);
    moves_data(other);
    close(other);

    struct sockaddr_storage address;
    CHECK(is_announced(fd, subflows_announced_id(handles->announced)));
    CHECK(subflows_announced_address(handles->announced, &address) == 0);
    int stranger = socket(address.ss_family, SOCK_STREAM, 0);
    CHECK(connect(stranger, (struct sockaddr *)&address, length_of(&address)) == 0);
    wait_for(subflows_announced_fd(handles->announced), POLLIN);
    CHECK(subflows_announced_turn_away(handles->announced) == 1);
    close(stranger);
    CHECK(subflows_announced_withdraw(handles->announced) == 0);

    uint32_t id = opened(fd);
    struct subflows_event event;
    do
        CHECK(subflows_events_next(handles->events, &event, sizeof event, SOON_MS) == 1);
    while (event.kind != SUBFLOWS_EVENT_KIND_SUBFLOW_ESTABLISHED);
    subflows_events_close(handles->events);
    CHECK(subflows_close(fd, id) == 0);

    struct subflows_connection connection;
    struct subflows_capability capability;
    CHECK(subflows_connections_next(handles->connections, &connection, sizeof connection) == 1);
    CHECK(subflows_capabilities_next(handles->capabilities, &capability, sizeof capability) == 1);
    subflows_connections_close(handles->connections);
    subflows_capabilities_close(handles->capabilities);
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    remote_length = parse(argv[1], argv[2], &remote);
    second_length = parse(argv[3], NULL, &second);
    nobody_length = parse(argv[4], "9", &nobody);
    struct subflows_connect_options options = {.control = true, .timeout_ms = SOON_MS};
    int fd = subflows_connect(argv[1], argv[2], &options, sizeof options);
    CHECK(fd >= 0);
    moves_data(fd);
    struct subflows_status status;
    CHECK(subflows_status(fd, &status, sizeof status) == 0);
    opened(fd);
    struct handles handles;
    open_all(fd, &handles);
    reads(fd, status.token);

    pid_t child = fork();
    CHECK(child >= 0);
    for (int i = 0; i < 50; i++)
        reads(fd, status.token);
    if (child == 0) {
        close_all(&handles);
        reads(fd, status.token);
        close(fd);
        _exit(0);
    }
    int ended;
    CHECK(waitpid(child, &ended, 0) == child);
    CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    reads(fd, status.token);
    still_works(fd, &handles);
    moves_data(fd);
    close(fd);
    return 0;
}
