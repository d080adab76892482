/* Does the kernel count more than 255 extra subflows of a connection right, then and afterwards?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: it does; 1: it does not; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client's socket has the
 * userspace path manager, which has no limit. It opens 300 subflows, then closes 50 of them, and reads
 * `mptcpi_subflows` (named `mptcpi_extra_subflows` in newer kernels) of MPTCP_INFO each time. That is
 * an 8-bit field: right would be 255 and then 250. */
#include "../common.h"
#include "../path_manager.h"
#include <signal.h>
#include <sys/prctl.h>

enum { OPENED = 300, CLOSED = 50 };

/* Stores the local ends of the live subflows, as the kernel lists them; returns their number. */
static int list(int sock, struct sockaddr_in *from, int most) {
    static struct {
        struct mptcp_subflow_data head;
        struct mptcp_subflow_addrs ends[OPENED + 10];
    } all;
    socklen_t size = sizeof all;
    all.head = (struct mptcp_subflow_data){ .size_subflow_data = sizeof all.head, .size_user = sizeof all.ends[0] };
    check(!getsockopt(sock, SOL_MPTCP, MPTCP_SUBFLOW_ADDRS, &all, &size), "MPTCP_SUBFLOW_ADDRS");
    for (int i = 0; i < most && i < (int)all.head.num_subflows; i++) from[i] = all.ends[i].sin_local;
    return all.head.num_subflows;
}

/* Waits until there are this many additional subflows. Returns the number in MPTCP_INFO. */
static int counted(int client, int expected) {
    for (int tries = 0; list(client, NULL, 0) != expected + 1; tries++) {
        check(tries < 10000, "the number of subflows");
        rest(1);
    }
    rest(100);
    return info_of(client).mptcpi_subflows;
}

int main(void) {
    static struct sockaddr_in from[OPENED + 10];
    struct sockaddr_in to = ipv4("10.0.0.1"), second = ipv4("10.0.0.2"), first = ipv4("10.0.0.3");
    new_namespace();
    run("ip link set lo up && for i in 1 2 3; do ip address add 10.0.0.$i/24 dev lo; done");
    path_manager(1);
    /* The server accepts subflows without limit while some process follows the events. */
    pid_t monitor = fork();
    if (monitor == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        check(freopen("/dev/null", "w", stdout) != NULL, "/dev/null");
        execlp("ip", "ip", "mptcp", "monitor", NULL);
        check(0, "ip mptcp monitor");
    }
    rest(500);
    int listener = listen_on(IPPROTO_MPTCP, &to), client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_from(client, &first, &to);
    exchange(client, accept_one(listener));
    unsigned token = info_of(client).mptcpi_token;
    for (int i = 0; i < OPENED; i++) subflow(SUBFLOW_CREATE, token, second, 2, to);
    int all = counted(client, OPENED), closed = 0;
    list(client, from, OPENED + 1);
    for (int i = 0; closed < CLOSED; i++) {
        if (from[i].sin_port == first.sin_port) continue;
        subflow(SUBFLOW_DESTROY, token, from[i], 0, to);
        closed++;
    }
    int fewer = counted(client, OPENED - CLOSED);
    kill(monitor, SIGKILL);
    int is_right = all == 255 && fewer == OPENED - CLOSED;
    printf("%s: %d extra subflows are counted as %d; after %d are closed, %d are counted as %d\n",
           is_right ? "right" : "wrong", OPENED, all, CLOSED, OPENED - CLOSED, fewer);
    return !is_right;
}
