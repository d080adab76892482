/* Does TCP_DEFER_ACCEPT on the server's listener delay the subflows that join?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: they join at once; 1: they are delayed; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client's path manager
 * opens a second subflow as soon as the connection is established. The program measures when the
 * server accepts the third segment of that join: without the option, and with 3 seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
enum { SECONDS = 3 };

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static void run(const char *command) { check(!system(command), command); }

/* A counter of this namespace, of /proc/net/netstat. */
static long counter(const char *name) {
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

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Milliseconds from the first byte of a connection to the join, or -1 after 10 seconds. */
static long time_to_join(int seconds) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct timespec millisecond = { 0, 1000000 };
    socklen_t size = sizeof address;
    char byte;
    inet_aton("10.0.0.1", &address.sin_addr);
    long joined = counter("MPJoinAckRx"), took = -1;
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) &&
          !bind(listener, (void *)&address, size) && !listen(listener, 8) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(client >= 0 && !connect(client, (void *)&address, size) && write(client, "?", 1) == 1, "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && read(server, &byte, 1) == 1, "accept");
    for (long start = now(); took < 0 && now() - start < 10000; nanosleep(&millisecond, NULL))
        if (counter("MPJoinAckRx") > joined) took = now() - start;
    close(client);
    close(server);
    close(listener);
    return took;
}

int main(void) {
    check(!unshare(CLONE_NEWNET), "unshare");
    run("ip link set lo up && ip address add 10.0.0.1/24 dev lo && ip address add 10.0.0.2/24 dev lo");
    run("ip mptcp limits set subflows 8 && ip mptcp endpoint add 10.0.0.2 id 2 subflow");
    long at_once = time_to_join(0), drops = counter("TCPDeferAcceptDrop"), deferred = time_to_join(SECONDS);
    drops = counter("TCPDeferAcceptDrop") - drops;
    if (at_once < 0 || at_once >= 500) {
        printf("cannot tell: without TCP_DEFER_ACCEPT, the join took %ld ms\n", at_once);
        return 2;
    }
    int is_right = deferred >= 0 && deferred < 500;
    printf("%s: a join takes %ld ms, and %ld ms with TCP_DEFER_ACCEPT = %d s (%ld ACKs dropped)\n",
           is_right ? "right" : "delayed", at_once, deferred, SECONDS, drops);
    return !is_right;
}
