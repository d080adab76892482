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
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
enum { PAGE = 4096, HELD = 1000 };

static int client, faults, deleter_netlink, mptcp_pm;
static char *page;

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static void run(const char *command) { check(!system(command), command); }

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void rest(int milliseconds) {
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

static void *send_the_page(void *unused) {
    check(send(client, page, 1, 0) == 1, "send");
    return unused;
}

static void *supply_the_page(void *unused) {
    struct uffdio_zeropage zero = { { (unsigned long)page, PAGE }, 0, 0 };
    rest(HELD);
    check(!ioctl(faults, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
    return unused;
}

/* Sends a request of generic netlink, and waits for the answer. */
static void ask(int netlink, void *request, size_t size, char *answer) {
    check(send(netlink, request, size, 0) == (ssize_t)size && recv(netlink, answer, 4096, 0) > 0, "netlink");
}

/* The number of a family, which concerns no socket. */
static int family(int netlink, const char *name) {
    struct {
        struct nlmsghdr head;
        struct genlmsghdr generic;
        struct nlattr attribute;
        char name[12];
    } request = { { 0, GENL_ID_CTRL, NLM_F_REQUEST, 1, 0 }, { CTRL_CMD_GETFAMILY, 1, 0 },
                  { NLA_HDRLEN + strlen(name) + 1, CTRL_ATTR_FAMILY_NAME }, "" };
    char answer[4096], *at = answer + NLMSG_LENGTH(GENL_HDRLEN);
    strcpy(request.name, name);
    request.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(request.attribute.nla_len);
    ask(netlink, &request, request.head.nlmsg_len, answer);
    check(((struct nlmsghdr *)answer)->nlmsg_type == GENL_ID_CTRL, name);
    while (((struct nlattr *)at)->nla_type != CTRL_ATTR_FAMILY_ID) at += NLA_ALIGN(((struct nlattr *)at)->nla_len);
    return *(unsigned short *)(at + NLA_HDRLEN);
}

static void *delete_the_endpoint(void *unused) {
    struct {
        struct nlmsghdr head;
        struct genlmsghdr generic;
        struct nlattr nest, attribute;
        unsigned char id, padding[3];
    } request = { { sizeof request, mptcp_pm, NLM_F_REQUEST | NLM_F_ACK, 1, 0 }, { MPTCP_PM_CMD_DEL_ADDR, 1, 0 },
                  { 2 * NLA_HDRLEN + 4, MPTCP_PM_ATTR_ADDR | NLA_F_NESTED },
                  { NLA_HDRLEN + 1, MPTCP_PM_ADDR_ATTR_ID }, 2, { 0 } };
    char answer[4096];
    ask(deleter_netlink, &request, sizeof request, answer);
    check(!((struct nlmsgerr *)NLMSG_DATA(answer))->error, "MPTCP_PM_CMD_DEL_ADDR");
    return unused;
}

/* Milliseconds that generic netlink of this thread's namespace takes for an answer. */
static long time_of_nlctrl(void) {
    int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    check(netlink >= 0, "netlink");
    long start = now();
    family(netlink, "nlctrl");
    close(netlink);
    return now() - start;
}

int main(void) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    pthread_t sender, timer, deleter;
    char byte;

    check(!unshare(CLONE_NEWNET), "unshare");
    run("ip link set lo up && ip address add 10.0.0.1/24 dev lo && ip address add 10.0.0.2/24 dev lo");
    run("ip mptcp endpoint add 10.0.0.2 id 2 signal");
    inet_aton("10.0.0.1", &address.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !bind(listener, (void *)&address, size) && !listen(listener, 8) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(client >= 0 && !connect(client, (void *)&address, size), "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && write(client, "?", 1) == 1 && read(server, &byte, 1) == 1, "accept");

    faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register missing = { { (unsigned long)page, PAGE }, UFFDIO_REGISTER_MODE_MISSING, 0 };
    check(faults >= 0 && page != MAP_FAILED && !ioctl(faults, UFFDIO_API, &api) &&
          !ioctl(faults, UFFDIO_REGISTER, &missing), "userfaultfd");
    deleter_netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    check(deleter_netlink >= 0, "netlink");
    mptcp_pm = family(deleter_netlink, "mptcp_pm");
    long otherwise = time_of_nlctrl();
    alarm(10); /* ends the program, and with it the lock, whatever happens */
    check(!pthread_create(&sender, NULL, send_the_page, NULL), "pthread_create");
    struct pollfd is_waiting = { faults, POLLIN, 0 };
    check(poll(&is_waiting, 1, 5000) == 1, "the send that is to wait");
    check(!pthread_create(&deleter, NULL, delete_the_endpoint, NULL), "pthread_create");
    rest(100);
    check(!pthread_create(&timer, NULL, supply_the_page, NULL), "pthread_create");
    check(!unshare(CLONE_NEWNET), "unshare"); /* another namespace, for this thread alone */
    long took = time_of_nlctrl();
    check(!pthread_join(timer, NULL) && !pthread_join(sender, NULL) && !pthread_join(deleter, NULL), "pthread_join");
    int is_right = took < HELD / 2;
    printf("%s: generic netlink of another namespace answers in %ld ms while the socket is locked, in %ld ms otherwise\n",
           is_right ? "right" : "stalled", took, otherwise);
    return !is_right;
}
