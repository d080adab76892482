/* Is an IPv6 address announced if it has a port and the connection has TCP timestamps?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: it is; 1: it is not; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in network namespaces that end with the program, a new one for each of three
 * trials. The path manager has a `signal` endpoint. The program looks at the counter of received
 * ADD_ADDR options after a connection has exchanged some bytes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
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

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static void run(const char *command) { check(!system(command), command); }

static void rest(int milliseconds) {
    struct timespec time = { 0, milliseconds * 1000000L };
    nanosleep(&time, NULL);
}

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

/* Whether an announcement arrives within 2 seconds. */
static int arrives(const char *port, const char *timestamps) {
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    socklen_t size = sizeof address;
    char command[100], byte;
    check(!unshare(CLONE_NEWNET), "unshare");
    run("ip link set lo up && ip address add 2001:db8::1/64 dev lo nodad && ip address add 2001:db8::2/64 dev lo nodad");
    snprintf(command, sizeof command, "sysctl -qw net.ipv4.tcp_timestamps=%s", timestamps);
    run(command);
    /* The kernel listens on that port, in a namespace without other listeners. */
    snprintf(command, sizeof command, "ip mptcp endpoint add 2001:db8::2 %s signal", port);
    run(command);
    inet_pton(AF_INET6, "2001:db8::1", &address.sin6_addr);
    int listener = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !bind(listener, (void *)&address, size) && !listen(listener, 8) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    int client;
    for (int i = 0;; i++, rest(100)) { /* a new address of IPv6 can take a moment */
        client = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP);
        if (client >= 0 && !connect(client, (void *)&address, size)) break;
        check(client >= 0 && i < 30, "connect");
        close(client);
    }
    int server = accept(listener, NULL, NULL);
    for (int i = 0; i < 20 && counter("AddAddr") == 0; i++, rest(100))
        check(server >= 0 && write(client, "?", 1) == 1 && read(server, &byte, 1) == 1 &&
              write(server, "!", 1) == 1 && read(client, &byte, 1) == 1, "exchange");
    close(client);
    close(server);
    close(listener);
    return counter("AddAddr") > 0;
}

int main(void) {
    int without_port = arrives("", "1"), without_timestamps = arrives("port 12345", "0");
    if (!without_port || !without_timestamps) {
        printf("cannot tell: announced without a port: %d, without timestamps: %d\n", without_port, without_timestamps);
        return 2;
    }
    int is_right = arrives("port 12345", "1");
    printf("%s: an IPv6 address with a port is %s on a connection with TCP timestamps\n",
           is_right ? "right" : "silent", is_right ? "announced" : "not announced, and no error reported,");
    return !is_right;
}
