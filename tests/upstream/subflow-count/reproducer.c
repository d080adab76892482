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
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
enum { OPENED = 300, CLOSED = 50 };
enum { SUBFLOW_CREATE = 10, SUBFLOW_DESTROY = 11, REMOTE = 6 }; /* as in <linux/mptcp_pm.h> */

static int netlink = -1;
static struct {
    struct nlmsghdr head;
    struct genlmsghdr generic;
    char attributes[512];
} request;

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static void run(const char *command) { check(!system(command), command); }

static void rest(int milliseconds) {
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

/* Sets the path manager of the sockets that are made from now on. */
static void path_manager(int is_userspace) {
    int file = open("/proc/sys/net/mptcp/path_manager", O_WRONLY);
    const char *value = is_userspace ? "userspace" : "kernel";
    if (file < 0) {
        file = open("/proc/sys/net/mptcp/pm_type", O_WRONLY);
        value = is_userspace ? "1" : "0";
    }
    check(file >= 0 && write(file, value, strlen(value)) > 0, "net.mptcp.path_manager");
    close(file);
}

static struct nlattr *put(int type, const void *value, int size) {
    struct nlattr *attribute = (void *)((char *)&request + NLMSG_ALIGN(request.head.nlmsg_len));
    attribute->nla_type = type;
    attribute->nla_len = NLA_HDRLEN + size;
    if (size) memcpy((char *)attribute + NLA_HDRLEN, value, size);
    request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
    return attribute;
}

static void begin(int type, int command) {
    memset(&request, 0, sizeof request);
    request.head = (struct nlmsghdr){ NLMSG_LENGTH(GENL_HDRLEN), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0 };
    request.generic = (struct genlmsghdr){ command, 1, 0 };
}

/* Sends the request. Returns an error number; leaves the first answer that is not an
 * acknowledgement in `answer`. */
static int ask(char *answer, int size) {
    if (netlink < 0) netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    check(netlink >= 0 && send(netlink, &request, request.head.nlmsg_len, 0) > 0, "netlink");
    for (;;) {
        char part[4096];
        struct nlmsghdr *head = (void *)part;
        check(recv(netlink, part, sizeof part, 0) > 0, "netlink");
        if (head->nlmsg_type == NLMSG_ERROR) return -((struct nlmsgerr *)NLMSG_DATA(head))->error;
        if (answer) memcpy(answer, part, size);
    }
}

static int family(void) {
    char answer[512];
    begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    put(CTRL_ATTR_FAMILY_NAME, "mptcp_pm", 9);
    errno = ask(answer, sizeof answer);
    check(!errno, "mptcp_pm");
    for (char *at = answer + NLMSG_LENGTH(GENL_HDRLEN);; at += NLA_ALIGN(((struct nlattr *)at)->nla_len))
        if (((struct nlattr *)at)->nla_type == CTRL_ATTR_FAMILY_ID) return *(unsigned short *)(at + NLA_HDRLEN);
}

static void put_address(int type, struct sockaddr_in address, unsigned char id) {
    struct nlattr *nest = put(type | NLA_F_NESTED, NULL, 0);
    unsigned short inet = AF_INET, port = ntohs(address.sin_port);
    put(MPTCP_PM_ADDR_ATTR_FAMILY, &inet, 2);
    put(MPTCP_PM_ADDR_ATTR_ADDR4, &address.sin_addr, 4);
    if (port) put(MPTCP_PM_ADDR_ATTR_PORT, &port, 2);
    if (id) put(MPTCP_PM_ADDR_ATTR_ID, &id, 1);
    nest->nla_len = (char *)&request + request.head.nlmsg_len - (char *)nest;
}

static void subflow(int command, unsigned token, struct sockaddr_in from, unsigned char id, struct sockaddr_in to) {
    begin(family(), command);
    put(MPTCP_PM_ATTR_TOKEN, &token, 4);
    put_address(MPTCP_PM_ATTR_ADDR, from, id);
    put_address(REMOTE, to, 0);
    errno = ask(NULL, 0);
    check(!errno, command == SUBFLOW_CREATE ? "MPTCP_PM_CMD_SUBFLOW_CREATE" : "MPTCP_PM_CMD_SUBFLOW_DESTROY");
}

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
    struct mptcp_info info;
    socklen_t size = sizeof info;
    for (int tries = 0; list(client, NULL, 0) != expected + 1; tries++) {
        check(tries < 10000, "the number of subflows");
        rest(1);
    }
    rest(100);
    check(!getsockopt(client, SOL_MPTCP, MPTCP_INFO, &info, &size), "MPTCP_INFO");
    return info.mptcpi_subflows;
}

int main(void) {
    static struct sockaddr_in from[OPENED + 10];
    struct sockaddr_in to = { .sin_family = AF_INET }, first = to, second = to;
    socklen_t size = sizeof to;
    struct mptcp_info info;
    socklen_t info_size = sizeof info;
    char byte;
    check(!unshare(CLONE_NEWNET), "unshare");
    run("ip link set lo up && for i in 1 2 3; do ip address add 10.0.0.$i/24 dev lo; done");
    inet_aton("10.0.0.1", &to.sin_addr);
    inet_aton("10.0.0.2", &second.sin_addr);
    inet_aton("10.0.0.3", &first.sin_addr);
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
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !bind(listener, (void *)&to, size) && !listen(listener, OPENED) &&
          !getsockname(listener, (void *)&to, &size), "listen");
    int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(client >= 0 && !bind(client, (void *)&first, size) && !connect(client, (void *)&to, size) &&
          !getsockname(client, (void *)&first, &size), "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && write(client, "?", 1) == 1 && read(server, &byte, 1) == 1 &&
          write(server, "!", 1) == 1 && read(client, &byte, 1) == 1, "exchange");
    check(!getsockopt(client, SOL_MPTCP, MPTCP_INFO, &info, &info_size), "MPTCP_INFO");
    for (int i = 0; i < OPENED; i++) subflow(SUBFLOW_CREATE, info.mptcpi_token, second, 2, to);
    int all = counted(client, OPENED), closed = 0;
    list(client, from, OPENED + 1);
    for (int i = 0; closed < CLOSED; i++) {
        if (from[i].sin_port == first.sin_port) continue;
        subflow(SUBFLOW_DESTROY, info.mptcpi_token, from[i], 0, to);
        closed++;
    }
    int fewer = counted(client, OPENED - CLOSED);
    kill(monitor, SIGKILL);
    int is_right = all == 255 && fewer == OPENED - CLOSED;
    printf("%s: %d extra subflows are counted as %d; after %d are closed, %d are counted as %d\n",
           is_right ? "right" : "wrong", OPENED, all, CLOSED, OPENED - CLOSED, fewer);
    return !is_right;
}
