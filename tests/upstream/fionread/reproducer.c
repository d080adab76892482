/* Does FIONREAD on a Multipath TCP socket count the peer's DATA_FIN as a byte?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: FIONREAD is right; 1: it is wrong; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The server sends 5 bytes and
 * shuts down its direction. The client asks FIONREAD before it reads, and again when it has read all.
 * The same is done with TCP, for comparison. */
#include "../common.h"
#include <sys/ioctl.h>

enum { SENT = 5 };

static int fionread(int sock) {
    int bytes = -1;
    check(!ioctl(sock, FIONREAD, &bytes), "FIONREAD");
    return bytes;
}

/* Two answers of FIONREAD after the peer's end of data: with all 5 bytes unread, and with all read. */
static void answers(int protocol, int *unread, int *read_all) {
    struct sockaddr_in address = ipv4("127.0.0.1");
    char bytes[SENT];
    int listener = listen_on(protocol, &address), client = new_socket(AF_INET, protocol);
    connect_to(client, &address);
    int server = accept_one(listener);
    check(write(server, "hello", SENT) == SENT && !shutdown(server, SHUT_WR), "send");
    struct pollfd end = { client, POLLRDHUP, 0 };
    check(poll(&end, 1, 5000) == 1, "the end of the server's data");
    *unread = fionread(client);
    check(read(client, bytes, SENT) == SENT, "read");
    *read_all = fionread(client);
    close_all(client, server, listener);
}

int main(void) {
    int tcp[2], mptcp[2];
    new_namespace();
    run("ip link set lo up");
    answers(IPPROTO_TCP, &tcp[0], &tcp[1]);
    answers(IPPROTO_MPTCP, &mptcp[0], &mptcp[1]);
    int is_right = mptcp[0] == tcp[0] && mptcp[1] == tcp[1];
    printf("%s: with 5 bytes unread, FIONREAD is %d (TCP: %d); with none, it is %d (TCP: %d)\n",
           is_right ? "right" : "wrong", mptcp[0], tcp[0], mptcp[1], tcp[1]);
    return !is_right;
}
