/* Does closing a Multipath TCP socket with SO_LINGER and a time of 0 reset the connection?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: the peer sees a reset; 1: it sees the end of the data; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The same is done with TCP, for
 * comparison. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

/* What the peer reads after the close: 0 for the end of the data, or an error number. */
static int after_close(int protocol) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    struct timeval patience = { .tv_sec = 5 };
    socklen_t size = sizeof address;
    char byte;
    int listener = socket(AF_INET, SOCK_STREAM, protocol);
    check(listener >= 0 && !bind(listener, (void *)&address, size) && !listen(listener, 1) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    int client = socket(AF_INET, SOCK_STREAM, protocol);
    check(client >= 0 && !connect(client, (void *)&address, size), "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && write(server, "a", 1) == 1 && read(client, &byte, 1) == 1 &&
          write(client, "b", 1) == 1 && read(server, &byte, 1) == 1, "a byte each way");
    check(!setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
    check(!setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
    check(!close(client), "close");
    int found = read(server, &byte, 1) < 0 ? errno : 0;
    close(server);
    close(listener);
    return found;
}

int main(void) {
    check(!unshare(CLONE_NEWNET), "unshare");
    check(!system("ip link set lo up"), "ip link set lo up");
    int tcp = after_close(IPPROTO_TCP), mptcp = after_close(IPPROTO_MPTCP);
    printf("%s: after close with SO_LINGER 0, the peer reads: %s (TCP: %s)\n",
           mptcp == ECONNRESET ? "reset" : "graceful", mptcp ? strerror(mptcp) : "the end of the data",
           tcp ? strerror(tcp) : "the end of the data");
    return mptcp != ECONNRESET;
}
