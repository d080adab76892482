/* What the reproducers share. `tests/upstream/one-file` prints a reproducer with its headers in place. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

static inline void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static inline void run(const char *command) { check(!system(command), command); }

static inline void new_namespace(void) { check(!unshare(CLONE_NEWNET), "unshare"); }

static inline void rest(int milliseconds) {
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

/* The time in milliseconds. */
static inline long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* A counter of this thread's namespace, of /proc/net/netstat. */
static inline long counter(const char *name) {
    static char names[1 << 14], values[1 << 14];
    FILE *file = fopen("/proc/thread-self/net/netstat", "r");
    long found = 0;
    check(file != NULL, "/proc/thread-self/net/netstat");
    while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
        char *rest_of_names, *rest_of_values;
        char *n = strtok_r(names, " \n", &rest_of_names);
        char *v = strtok_r(values, " \n", &rest_of_values);
        for (; n && v; n = strtok_r(0, " \n", &rest_of_names), v = strtok_r(0, " \n", &rest_of_values))
            if (!strcmp(n, name)) found = atol(v);
    }
    fclose(file);
    return found;
}

/* Waits until the server has accepted a join, after so many before. */
static inline void await_join(long joined) {
    for (int tries = 0; counter("MPJoinAckRx") == joined; tries++) {
        check(tries < 5000, "the join");
        rest(1);
    }
}

static inline struct sockaddr_in ipv4(const char *text) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    check(inet_aton(text, &address.sin_addr), text);
    return address;
}

static inline int new_socket(int family, int protocol) {
    int sock = socket(family, SOCK_STREAM, protocol);
    check(sock >= 0, "socket");
    return sock;
}

static inline void bind_and_listen(int listener, void *address, socklen_t size) {
    check(!bind(listener, address, size) && !listen(listener, 512) && !getsockname(listener, address, &size), "listen");
}

/* A listener on this address, which gets the port. */
static inline int listen_on(int protocol, struct sockaddr_in *address) {
    int listener = new_socket(AF_INET, protocol);
    bind_and_listen(listener, address, sizeof *address);
    return listener;
}

static inline void connect_to(int client, const struct sockaddr_in *address) {
    check(!connect(client, (void *)address, sizeof *address), "connect");
}

/* The same from another address, which gets the port. */
static inline void connect_from(int client, struct sockaddr_in *from, const struct sockaddr_in *to) {
    socklen_t size = sizeof *from;
    check(!bind(client, (void *)from, size), "bind");
    connect_to(client, to);
    check(!getsockname(client, (void *)from, &size), "getsockname");
}

static inline int accept_one(int listener) {
    int server = accept(listener, NULL, NULL);
    check(server >= 0, "accept");
    return server;
}

static inline void pass_byte(int from, int to) {
    char byte;
    check(write(from, "?", 1) == 1 && read(to, &byte, 1) == 1, "a byte to the other end");
}

/* A byte each way; the client's comes first. */
static inline void exchange(int client, int server) {
    pass_byte(client, server);
    pass_byte(server, client);
}

static inline void timeout(int sock, int seconds) {
    struct timeval limit = { seconds, 0 };
    check(!setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "SO_RCVTIMEO");
}

static inline void close_all(int client, int server, int listener) {
    close(client);
    close(server);
    close(listener);
}
