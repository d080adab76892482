/* Threads that are cancelled while they are inside the library: cancel CASE. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

/* What a thread reports about itself. */
struct told {
    atomic_int id, is_cancelled, steps;
    struct subflows_events *events;
    int timeout_ms;
    bool is_second_form;
};

static time_t seconds(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec;
}

/* Whether a thread of this process sleeps in the kernel. */
static bool sleeps(int id) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    int file = open(path, O_RDONLY);
    CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    const char *state = strrchr(text, ')');
    return state && state[2] == 'S';
}

static void is_joined_as_cancelled(pthread_t thread) {
    void *result;
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
}

static void close_events(void *events) { subflows_events_close(events); }

static void *follows(void *given) {
    struct told *told = given;
    struct subflows_event event;
    struct subflows_failure failure;
    pthread_cleanup_push(close_events, told->events);
    told->id = (int)syscall(SYS_gettid);
    if (told->is_second_form)
        subflows_events_next_e(told->events, &event, sizeof event, told->timeout_ms, &failure,
                               sizeof failure);
    else
        subflows_events_next(told->events, &event, sizeof event, told->timeout_ms);
    pthread_cleanup_pop(1);
    return NULL;
}

/* The cancellation once ended the whole program. */
static void a_thread_that_waits_for_events_is_cancelled(void) {
    static const int timeouts[] = {-1, 2 * SOON_MS};
    for (int i = 0; i < 40; i++) {
        struct told told = {.timeout_ms = timeouts[i % 2], .is_second_form = i % 8 < 4};
        pthread_t thread;
        CHECK(subflows_events_of_namespace(&told.events) == 0);
        int fd = subflows_events_fd(told.events);
        CHECK(pthread_create(&thread, NULL, follows, &told) == 0);
        /* Every other thread is cancelled without waiting until it sleeps. */
        time_t late = seconds() + SOON_MS / 1000;
        while (i % 4 < 2 && (told.id == 0 || !sleeps(told.id)))
            CHECK(seconds() < late);
        CHECK(pthread_cancel(thread) == 0);
        is_joined_as_cancelled(thread);
        CHECK(seconds() < late);
        /* The thread's cleanup handler has closed it. */
        CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    }
}

static void *follows_and_closes_nothing(void *given) {
    struct told *told = given;
    struct subflows_event event;
    subflows_events_next(told->events, &event, sizeof event, told->timeout_ms);
    return NULL;
}

/* After a wait was cancelled, its handle still returns every event. */
static void a_cancelled_wait_leaves_its_handle_of_no_use(void) {
    struct told told = {.timeout_ms = -1};
    struct subflows_event event;
    pthread_t thread;
    CHECK(subflows_events_of_namespace(&told.events) == 0);
    CHECK(pthread_create(&thread, NULL, follows_and_closes_nothing, &told) == 0);
    CHECK(pthread_cancel(thread) == 0);
    is_joined_as_cancelled(thread);
    int listener = subflows_listen("127.0.0.1", "0", NULL, 0);
    CHECK(listener >= 0);
    CHECK(subflows_events_next(told.events, &event, sizeof event, SOON_MS) == 1);
    CHECK(event.kind == SUBFLOWS_EVENT_KIND_LISTENER_CREATED);
    close(listener);
    CHECK(subflows_events_next(told.events, &event, sizeof event, SOON_MS) == 1);
    CHECK(event.kind == SUBFLOWS_EVENT_KIND_LISTENER_CLOSED);
    CHECK(subflows_events_next(told.events, &event, sizeof event, 1) == 0);
    subflows_events_close(told.events);
}

static void reads_and_acts(const char *host, int family) {
    struct subflows_status status;
    struct subflows_info info;
    struct subflows_subflow paths[4];
    struct subflows_details details;
    struct subflows_address addresses[4];
    struct subflows_connections *connections;
    struct subflows_capabilities *capabilities;
    struct subflows_connection connection;
    struct subflows_events *events;
    struct subflows_event event;
    struct subflows_open_options open_options = {.timeout_ms = 100};
    struct subflows_connect_options controlled = {.control = true, .timeout_ms = SOON_MS};
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char service[8];

    int taken = subflows_socket(family);
    CHECK(taken >= 0 && subflows_take_control(taken) == 0);
    CHECK(subflows_status(taken, &status, sizeof status) == 0);
    int tcp = socket(family, SOCK_STREAM, 0);
    CHECK(subflows_upgrade(tcp) == 0);
    int listener = subflows_listen(host, "0", NULL, 0);
    CHECK(listener >= 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    in_port_t port = family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                       : ((struct sockaddr_in6 *)&address)->sin6_port;
    snprintf(service, sizeof service, "%d", ntohs(port));
    int fd = subflows_connect(host, service, &controlled, sizeof controlled);
    CHECK(fd >= 0 && subflows_info(fd, &info, sizeof info) == 0);
    CHECK(subflows_list(fd, paths, 4, sizeof paths[0]) == 1);
    CHECK(subflows_details(fd, paths[0].id, &details, sizeof details) == 0);
    CHECK(subflows_addresses(fd, addresses, 4, sizeof addresses[0]) == 1);
    CHECK(subflows_connection(info.token, &connection, sizeof connection) == 0);
    CHECK(subflows_open(fd, &open_options, sizeof open_options, NULL, 0) ==
          -SUBFLOWS_E_NOT_READY);
    CHECK(subflows_close(fd, paths[0].id) == -SUBFLOWS_E_INVALID_STATE);
    CHECK(subflows_connections(NULL, 0, &connections) == 0);
    subflows_connections_close(connections);
    CHECK(subflows_capabilities(&capabilities) == 0);
    subflows_capabilities_close(capabilities);
    CHECK(subflows_events(fd, &events) == 0);
    CHECK(subflows_events_next(events, &event, sizeof event, 0) == 0);
    subflows_events_close(events);
}

static void *calls_everything(void *given) {
    struct told *told = given;
    struct subflows_event event;
    while (!told->is_cancelled)
        continue;
    /* Each calls what is a cancellation point of its own: read, connect, open, close. */
    reads_and_acts("127.0.0.1", AF_INET);
    reads_and_acts("::1", AF_INET6);
    CHECK(subflows_events_of_namespace(&told->events) == 0);
    told->steps = 1;
    subflows_events_next(told->events, &event, sizeof event, -1);
    told->steps = 2;
    return NULL;
}

/* Except subflows_events_next(), every function runs to its end in a cancelled thread. */
static void a_pending_cancellation_ends_a_call_in_the_middle(void) {
    struct told told = {0};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, calls_everything, &told) == 0);
    CHECK(pthread_cancel(thread) == 0);
    told.is_cancelled = 1;
    is_joined_as_cancelled(thread);
    CHECK(told.steps == 1);
    subflows_events_close(told.events);
}

static void close_descriptor(void *fd) { close(*(int *)fd); }

static void *takes(void *given) {
    struct told *told = given;
    for (;;) {
        int fd = subflows_socket(AF_INET);
        CHECK(fd >= 0);
        pthread_cleanup_push(close_descriptor, &fd);
        CHECK(subflows_take_control(fd) == 0);
        told->steps++;
        pthread_testcancel();
        pthread_cleanup_pop(1);
    }
    return NULL;
}

/* Once the process ended together with its helper, and the namespace could stay switched. */
static void a_thread_that_takes_control_is_cancelled(void) {
    for (int i = 0; i < 100; i++) {
        struct told told = {0};
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, takes, &told) == 0);
        time_t late = seconds() + SOON_MS / 1000;
        while (told.steps < 1 + i % 5)
            CHECK(seconds() < late);
        CHECK(pthread_cancel(thread) == 0);
        is_joined_as_cancelled(thread);
    }
    char name[32] = "";
    FILE *setting = fopen("/proc/sys/net/mptcp/path_manager", "r");
    if (!setting)
        setting = fopen("/proc/sys/net/mptcp/pm_type", "r");
    CHECK(setting != NULL && fgets(name, sizeof name, setting) != NULL);
    CHECK(strcmp(name, "kernel\n") == 0 || strcmp(name, "0\n") == 0);
    fclose(setting);
}

int main(int argc, char **argv) {
    static const struct test_case cases[] = {
        CASE(a_thread_that_waits_for_events_is_cancelled),
        CASE(a_cancelled_wait_leaves_its_handle_of_no_use),
        CASE(a_pending_cancellation_ends_a_call_in_the_middle),
        CASE(a_thread_that_takes_control_is_cancelled),
    };
    return RUN_CASE(cases, argc, argv);
}
