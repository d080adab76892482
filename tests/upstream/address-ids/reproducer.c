/* Does a failed MPTCP_PM_CMD_SUBFLOW_CREATE make the kernel forget an address identifier in use?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: no; 1: yes; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client's socket has the
 * userspace path manager. It opens a subflow from 10.0.0.2 with identifier 2. A second one from
 * 10.0.0.2, with identifier 3 and a port that is in use, fails. Then identifier 2 is asked for with
 * another address: the kernel must refuse that. */
#include "../common.h"
#include "../path_manager.h"

int main(void) {
    struct sockaddr_in to = ipv4("10.0.0.1"), second = ipv4("10.0.0.2"), third = ipv4("10.0.0.3"), in_use = second;
    new_namespace();
    run("ip link set lo up && for i in 1 2 3; do ip address add 10.0.0.$i/24 dev lo; done; ip mptcp limits set subflows 8");
    int listener = listen_on(IPPROTO_MPTCP, &to), client = userspace_socket();
    connect_to(client, &to);
    exchange(client, accept_one(listener));
    unsigned token = info_of(client).mptcpi_token;

    subflow(SUBFLOW_CREATE, token, second, 2, to);
    await_join(0);
    int before = try_subflow(SUBFLOW_CREATE, token, third, 2, to);
    listen_on(IPPROTO_TCP, &in_use);
    int failure = try_subflow(SUBFLOW_CREATE, token, in_use, 3, to);
    int after = try_subflow(SUBFLOW_CREATE, token, third, 2, to);
    if (before != EINVAL || failure == 0) {
        printf("cannot tell: identifier 2 for another address: error %d; port in use: error %d\n", before, failure);
        return 2;
    }
    printf("%s: identifier 2, in use, for another address: error %d; after a failed SUBFLOW_CREATE (error %d): error %d\n",
           after ? "right" : "forgotten", before, failure, after);
    return after == 0;
}
