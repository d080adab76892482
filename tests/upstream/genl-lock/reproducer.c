/* Does a locked Multipath TCP socket stall generic netlink in other network namespaces?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: no; 1: yes; 2: could not be tried. Needs iproute2 and userfaultfd.
 *
 * CAUTION: if the bug is there, generic netlink of the whole machine stalls for about one second.
 *
 * A thread calls send() with a page that userfaultfd keeps away, so that its Multipath TCP socket
 * stays locked. MPTCP_PM_CMD_DEL_ADDR in the same namespace then waits for that lock. Meanwhile the
 * program, in another namespace, asks the kernel for the number of the family "nlctrl". One second
 * after the command was sent, a thread supplies the page. The lock also ends with the program. */
#include "../common.h"
#include "../locked_socket.h"
#include "../path_manager.h"

enum { HELD = 1000 };

static void *unlock_in_time(void *unused) {
    rest(HELD);
    unlock();
    return unused;
}

static void *delete_the_endpoint(void *unused) {
    unsigned char id = 2;
    begin(family("mptcp_pm"), MPTCP_PM_CMD_DEL_ADDR);
    struct nlattr *nest = put(MPTCP_PM_ATTR_ADDR | NLA_F_NESTED, NULL, 0);
    put(MPTCP_PM_ADDR_ATTR_ID, &id, 1);
    end(nest);
    errno = ask(NULL, 0);
    check(!errno, "MPTCP_PM_CMD_DEL_ADDR");
    return unused;
}

/* Milliseconds that generic netlink of this thread's namespace takes for an answer that concerns no
 * socket: the number of a family. */
static long time_of_nlctrl(void) {
    long start = now();
    family("nlctrl");
    long took = now() - start;
    close(netlink);
    netlink = -1; /* the next one is of the namespace at that time */
    return took;
}

int main(void) {
    struct sockaddr_in address = ipv4("10.0.0.1");
    pthread_t timer, deleter;
    new_namespace();
    run("ip link set lo up && ip address add 10.0.0.1/24 dev lo && ip address add 10.0.0.2/24 dev lo");
    run("ip mptcp endpoint add 10.0.0.2 id 2 signal");
    int listener = listen_on(IPPROTO_MPTCP, &address), client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_to(client, &address);
    pass_byte(client, accept_one(listener));

    long otherwise = time_of_nlctrl();
    alarm(10); /* ends the program, and with it the lock, whatever happens */
    lock(client);
    check(!pthread_create(&deleter, NULL, delete_the_endpoint, NULL), "pthread_create");
    rest(100);
    check(!pthread_create(&timer, NULL, unlock_in_time, NULL), "pthread_create");
    new_namespace(); /* for this thread alone */
    long took = time_of_nlctrl();
    check(!pthread_join(timer, NULL) && !pthread_join(deleter, NULL), "pthread_join");
    int is_right = took < HELD / 2;
    printf("%s: generic netlink of another namespace answers in %ld ms while the socket is locked, in %ld ms otherwise\n",
           is_right ? "right" : "stalled", took, otherwise);
    return !is_right;
}
