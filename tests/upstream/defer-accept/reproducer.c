/* Does TCP_DEFER_ACCEPT on the server's listener delay the subflows that join?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: they join at once; 1: they are delayed; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client's path manager
 * opens a second subflow as soon as the connection is established. The program measures when the
 * server accepts the third segment of that join: without the option, and with 3 seconds. */
#include "../common.h"
#include <netinet/tcp.h>

enum { SECONDS = 3 };

/* Milliseconds from the first byte of a connection to the join, or -1 after 10 seconds. */
static long time_to_join(int seconds) {
    struct sockaddr_in address = ipv4("10.0.0.1");
    long joined = counter("MPJoinAckRx"), took = -1;
    int listener = new_socket(AF_INET, IPPROTO_MPTCP), client = new_socket(AF_INET, IPPROTO_MPTCP);
    check(!setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds), "TCP_DEFER_ACCEPT");
    bind_and_listen(listener, &address, sizeof address);
    connect_to(client, &address);
    check(write(client, "?", 1) == 1, "write"); /* before accept, which waits for it */
    char byte;
    int server = accept_one(listener);
    check(read(server, &byte, 1) == 1, "read");
    for (long start = now(); took < 0 && now() - start < 10000; rest(1))
        if (counter("MPJoinAckRx") > joined) took = now() - start;
    close_all(client, server, listener);
    return took;
}

int main(void) {
    new_namespace();
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
