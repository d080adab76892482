/* Does data of the peer arrive when the first subflow is closed after a half close?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: it arrives; 1: it does not; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client's socket has the
 * userspace path manager. It opens a second subflow, shuts down its direction, and closes the first
 * subflow by MPTCP_PM_CMD_SUBFLOW_DESTROY. Then the server sends a byte. The same is done without
 * the shutdown, for comparison. */
#include "../common.h"
#include "../path_manager.h"

/* Whether the server's byte arrives: 0, or 1 (seen by poll), or 2 (read, but not seen by poll). */
static int arrives(int is_half_closed) {
    struct sockaddr_in to = ipv4("10.0.0.1"), second = ipv4("10.0.0.2"), first = ipv4("10.0.0.3");
    long joined = counter("MPJoinAckRx");
    char byte;
    int listener = listen_on(IPPROTO_MPTCP, &to), client = userspace_socket();
    connect_from(client, &first, &to);
    int server = accept_one(listener);
    exchange(client, server);
    unsigned token = info_of(client).mptcpi_token;
    subflow(SUBFLOW_CREATE, token, second, 2, to);
    await_join(joined);
    rest(100);
    if (is_half_closed) check(!shutdown(client, SHUT_WR) && read(server, &byte, 1) == 0, "half close");
    rest(100);
    subflow(SUBFLOW_DESTROY, token, first, 0, to);
    rest(100);
    check(write(server, "!", 1) == 1, "write");
    struct pollfd data = { client, POLLIN, 0 };
    int is_seen = poll(&data, 1, 5000) == 1, is_read = recv(client, &byte, 1, MSG_DONTWAIT) == 1;
    close_all(client, server, listener);
    return is_read ? is_seen ? 1 : 2 : 0;
}

int main(void) {
    static const char *const words[] = { "does not arrive within 5 s", "arrives", "is read, but poll does not report it" };
    new_namespace();
    run("ip link set lo up && for i in 1 2 3; do ip address add 10.0.0.$i/24 dev lo; done; ip mptcp limits set subflows 8");
    int open = arrives(0);
    long again = counter("MPTCPRetrans");
    int half_closed = arrives(1);
    again = counter("MPTCPRetrans") - again;
    if (open != 1) {
        printf("cannot tell: without a half close, the byte %s\n", words[open]);
        return 2;
    }
    printf("%s: after a half close and the close of the first subflow, the peer's byte %s (%ld retransmissions)\n",
           half_closed == 1 ? "right" : "stranded", words[half_closed], again);
    return half_closed != 1;
}
