/* Does FIONREAD on a Multipath TCP socket count the peer's DATA_FIN as a byte?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: FIONREAD is right; 1: it is wrong; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The server sends 5 bytes and
 * shuts down its direction. The client asks FIONREAD before it reads, and again when it has read all.
 * The same is done with TCP, for comparison. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
enum { SENT = 5 };

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static int fionread(int sock) {
    int bytes = -1;
    check(!ioctl(sock, FIONREAD, &bytes), "FIONREAD");
    return bytes;
}

/* Two answers of FIONREAD after the peer's end of data: with all 5 bytes unread, and with all read. */
static void ask(int protocol, int *unread, int *read_all) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    char bytes[SENT];
    int listener = socket(AF_INET, SOCK_STREAM, protocol);
    check(listener >= 0 && !bind(listener, (void *)&address, size) && !listen(listener, 1) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    int client = socket(AF_INET, SOCK_STREAM, protocol);
    check(client >= 0 && !connect(client, (void *)&address, size), "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && write(server, "hello", SENT) == SENT && !shutdown(server, SHUT_WR), "send");
    struct pollfd end = { client, POLLRDHUP, 0 };
    check(poll(&end, 1, 5000) == 1, "the end of the server's data");
    *unread = fionread(client);
    check(read(client, bytes, SENT) == SENT, "read");
    *read_all = fionread(client);
    close(client);
    close(server);
    close(listener);
}

int main(void) {
    int tcp[2], mptcp[2];
    check(!unshare(CLONE_NEWNET), "unshare");
    check(!system("ip link set lo up"), "ip link set lo up");
    ask(IPPROTO_TCP, &tcp[0], &tcp[1]);
    ask(IPPROTO_MPTCP, &mptcp[0], &mptcp[1]);
    int is_right = mptcp[0] == tcp[0] && mptcp[1] == tcp[1];
    printf("%s: with 5 bytes unread, FIONREAD is %d (TCP: %d); with none, it is %d (TCP: %d)\n",
           is_right ? "right" : "wrong", mptcp[0], tcp[0], mptcp[1], tcp[1]);
    return !is_right;
}
