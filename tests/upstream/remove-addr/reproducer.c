/* Does MPTCP_PM_CMD_REMOVE report success although no REMOVE_ADDR is sent?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: no; 1: yes; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. Both ends have the userspace path
 * manager. The server announces 10.0.0.2. Then the client announces 10.0.0.3, and before the kernel's worker has
 * sent the echo, the server removes 10.0.0.2. The program has real-time priority on its only processor from then
 * on, so that the worker cannot run in between. */
#include "../common.h"
#include "../path_manager.h"
#include <signal.h>
#include <sys/prctl.h>

enum { ANNOUNCE = 8, REMOVE = 9, LOC_ID = 5 }; /* as in <linux/mptcp_pm.h> */

static void announce(unsigned token, const char *address, unsigned char id) {
    unsigned signal = MPTCP_PM_ADDR_FLAG_SIGNAL;
    unsigned short inet = AF_INET;
    struct in_addr ip = ipv4(address).sin_addr;
    begin(family("mptcp_pm"), ANNOUNCE);
    put(MPTCP_PM_ATTR_TOKEN, &token, 4);
    struct nlattr *nest = put(MPTCP_PM_ATTR_ADDR | NLA_F_NESTED, NULL, 0);
    put(MPTCP_PM_ADDR_ATTR_FAMILY, &inet, 2);
    put(MPTCP_PM_ADDR_ATTR_ADDR4, &ip, 4);
    put(MPTCP_PM_ADDR_ATTR_ID, &id, 1);
    put(MPTCP_PM_ADDR_ATTR_FLAGS, &signal, 4);
    end(nest);
    errno = ask(NULL, 0);
    check(!errno, "MPTCP_PM_CMD_ANNOUNCE");
}

/* Returns an error number. */
static int try_remove(unsigned token, unsigned char id) {
    begin(family("mptcp_pm"), REMOVE);
    put(MPTCP_PM_ATTR_TOKEN, &token, 4);
    put(LOC_ID, &id, 1);
    return ask(NULL, 0);
}

/* The kernel sends an echo only if a program follows its events. It ends with this program. */
static void follow_events(void) {
    char byte;
    int said[2];
    check(!pipe(said), "pipe");
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(said[1], 1);
        execlp("ip", "ip", "mptcp", "monitor", NULL);
        _exit(127);
    }
    /* A listener is an event: one of them comes once the program follows. */
    struct pollfd ready = { said[0], POLLIN, 0 };
    for (int tries = 0; poll(&ready, 1, 100) == 0; tries++) {
        struct sockaddr_in any = { .sin_family = AF_INET };
        check(tries < 50, "ip mptcp monitor");
        close(listen_on(IPPROTO_MPTCP, &any));
    }
    check(read(said[0], &byte, 1) == 1, "ip mptcp monitor");
}

static void alone_on_one_processor(void) {
    struct sched_param lowest = { .sched_priority = 1 };
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    check(!sched_setaffinity(0, sizeof here, &here) && !sched_setscheduler(0, SCHED_FIFO, &lowest), "SCHED_FIFO");
}

int main(void) {
    struct sockaddr_in to = ipv4("10.0.0.1");
    new_namespace();
    run("ip link set lo up && for i in 1 2 3; do ip address add 10.0.0.$i/24 dev lo; done");
    path_manager(1);
    follow_events();
    int listener = listen_on(IPPROTO_MPTCP, &to), client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_to(client, &to);
    int server = accept_one(listener);
    exchange(client, server);
    unsigned client_token = info_of(client).mptcpi_token, server_token = info_of(server).mptcpi_token;
    announce(server_token, "10.0.0.2", 2);
    for (int tries = 0; counter("EchoAdd") == 0; tries++, rest(1)) check(tries < 5000, "the first echo");

    alone_on_one_processor();
    announce(client_token, "10.0.0.3", 3);
    int failure = try_remove(server_token, 2);
    for (int tries = 0; counter("RmAddr") == 0 && tries < 1000; tries++) rest(1);
    int is_right = failure || counter("RmAddr") > 0;
    printf("%s: REMOVE while an echo waits to be sent: error %d, REMOVE_ADDR received: %ld, counted as not sent: %ld\n",
           is_right ? "right" : "silent", failure, counter("RmAddr"), counter("RmAddrTxDrop"));
    return !is_right;
}
