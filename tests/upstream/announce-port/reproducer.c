/* Is an IPv6 address announced if it has a port and the connection has TCP timestamps?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: it is; 1: it is not; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in network namespaces that end with the program, a new one for each of three
 * trials. The path manager has a `signal` endpoint. The program looks at the counter of received
 * ADD_ADDR options after a connection has exchanged some bytes. */
#include "../common.h"

/* Whether an announcement arrives within 2 seconds. */
static int arrives(const char *port, const char *timestamps) {
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    char command[100];
    new_namespace();
    run("ip link set lo up && ip address add 2001:db8::1/64 dev lo nodad && ip address add 2001:db8::2/64 dev lo nodad");
    snprintf(command, sizeof command, "sysctl -qw net.ipv4.tcp_timestamps=%s", timestamps);
    run(command);
    /* The kernel listens on that port, in a namespace without other listeners. */
    snprintf(command, sizeof command, "ip mptcp endpoint add 2001:db8::2 %s signal", port);
    run(command);
    inet_pton(AF_INET6, "2001:db8::1", &address.sin6_addr);
    int listener = new_socket(AF_INET6, IPPROTO_MPTCP), client;
    bind_and_listen(listener, &address, sizeof address);
    for (int i = 0;; i++, rest(100)) { /* a new address of IPv6 can take a moment */
        client = new_socket(AF_INET6, IPPROTO_MPTCP);
        if (!connect(client, (void *)&address, sizeof address)) break;
        check(i < 30, "connect");
        close(client);
    }
    int server = accept_one(listener);
    for (int i = 0; i < 20 && counter("AddAddr") == 0; i++, rest(100)) exchange(client, server);
    close_all(client, server, listener);
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
