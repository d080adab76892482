/* Does closing a Multipath TCP socket with SO_LINGER and a time of 0 reset the connection?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: the peer sees a reset; 1: it sees the end of the data; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The same is done with TCP, for
 * comparison. */
#include "../common.h"

/* What the peer reads after the close: 0 for the end of the data, or an error number. */
static int after_close(int protocol) {
    struct sockaddr_in address = ipv4("127.0.0.1");
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    char byte;
    int listener = listen_on(protocol, &address), client = new_socket(AF_INET, protocol);
    connect_to(client, &address);
    int server = accept_one(listener);
    exchange(client, server);
    timeout(server, 5);
    check(!setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
    check(!close(client), "close");
    int found = read(server, &byte, 1) < 0 ? errno : 0;
    close(server);
    close(listener);
    return found;
}

int main(void) {
    new_namespace();
    run("ip link set lo up");
    int tcp = after_close(IPPROTO_TCP), mptcp = after_close(IPPROTO_MPTCP);
    printf("%s: after close with SO_LINGER 0, the peer reads: %s (TCP: %s)\n",
           mptcp == ECONNRESET ? "reset" : "graceful", mptcp ? strerror(mptcp) : "the end of the data",
           tcp ? strerror(tcp) : "the end of the data");
    return mptcp != ECONNRESET;
}
