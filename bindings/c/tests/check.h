/* What the test programs share: checks that print where they failed, and addresses. */
#ifndef CHECK_H
#define CHECK_H

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflows.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))

/* Long enough for anything under valgrind. */
enum { SOON_MS = 30000 };

static inline void failed(const char *file, int line, const char *condition) {
    struct subflows_error error = {0};
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s:%d: %s does not hold; last error: %s\n", file, line, condition,
            error.message ? error.message : "none");
    _exit(1);
}

/* A numeric address; returns its length. */
static inline socklen_t parse(const char *ip, const char *port, struct sockaddr_storage *out) {
    struct addrinfo hints, *found;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    CHECK(getaddrinfo(ip, port, &hints, &found) == 0);
    socklen_t length = found->ai_addrlen;
    memset(out, 0, sizeof *out);
    memcpy(out, found->ai_addr, length);
    freeaddrinfo(found);
    return length;
}

static inline socklen_t length_of(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static inline void wait_for(int fd, short events) {
    struct pollfd poll_fd = {.fd = fd, .events = events};
    CHECK(poll(&poll_fd, 1, SOON_MS) == 1);
}

/* Sends a byte each way: the connection moves data, and is ready for more subflows. */
static inline void moves_data(int fd) {
    char byte = '?';
    CHECK(send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
    wait_for(fd, POLLIN);
    CHECK(recv(fd, &byte, 1, 0) == 1 && byte == '?');
}

/* Runs the case that the program was started with. */
struct test_case {
    const char *name;
    void (*run)(void);
};

#define CASE(name) {#name, name}
#define RUN_CASE(cases, argc, argv) run_case(cases, sizeof(cases) / sizeof *(cases), argc, argv)

static inline int run_case(const struct test_case *cases, size_t count, int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < count; i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}

#endif
