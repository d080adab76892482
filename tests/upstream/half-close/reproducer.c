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
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
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

/* A counter of this namespace, of /proc/net/netstat. */
static long counter(const char *name) {
    static char names[1 << 14], values[1 << 14];
    FILE *file = fopen("/proc/thread-self/net/netstat", "r");
    long found = 0;
    check(file != NULL, "/proc/thread-self/net/netstat");
    while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
        char *rest_of_names, *rest_of_values;
        char *n = strtok_r(names, " \n", &rest_of_names);
        char *v = strtok_r(values, " \n", &rest_of_values);
        for (; n && v; n = strtok_r(0, " \n", &rest_of_names), v = strtok_r(0, " \n", &rest_of_values))
            if (!strcmp(n, name)) found = atol(v);
    }
    fclose(file);
    return found;
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

/* Whether the server's byte arrives: 0, or 1 (seen by poll), or 2 (read, but not seen by poll). */
static int arrives(int is_half_closed) {
    struct sockaddr_in to = { .sin_family = AF_INET }, first = to, second = to;
    socklen_t size = sizeof to;
    struct mptcp_info info;
    socklen_t info_size = sizeof info;
    long joined = counter("MPJoinAckRx");
    char byte;
    inet_aton("10.0.0.1", &to.sin_addr);
    inet_aton("10.0.0.2", &second.sin_addr);
    inet_aton("10.0.0.3", &first.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !bind(listener, (void *)&to, size) && !listen(listener, 8) &&
          !getsockname(listener, (void *)&to, &size), "listen");
    path_manager(1);
    int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(client >= 0, "socket");
    path_manager(0);
    check(!bind(client, (void *)&first, size) && !connect(client, (void *)&to, size) &&
          !getsockname(client, (void *)&first, &size), "connect");
    int server = accept(listener, NULL, NULL);
    check(server >= 0 && write(client, "?", 1) == 1 && read(server, &byte, 1) == 1 &&
          write(server, "!", 1) == 1 && read(client, &byte, 1) == 1, "exchange");
    check(!getsockopt(client, SOL_MPTCP, MPTCP_INFO, &info, &info_size), "MPTCP_INFO");
    subflow(SUBFLOW_CREATE, info.mptcpi_token, second, 2, to);
    for (int tries = 0; counter("MPJoinAckRx") == joined; tries++) {
        check(tries < 5000, "the join");
        rest(1);
    }
    rest(100);
    if (is_half_closed) check(!shutdown(client, SHUT_WR) && read(server, &byte, 1) == 0, "half close");
    rest(100);
    subflow(SUBFLOW_DESTROY, info.mptcpi_token, first, 0, to);
    rest(100);
    check(write(server, "!", 1) == 1, "write");
    struct pollfd data = { client, POLLIN, 0 };
    int is_seen = poll(&data, 1, 5000) == 1, is_read = recv(client, &byte, 1, MSG_DONTWAIT) == 1;
    close(client);
    close(server);
    close(listener);
    return is_read ? is_seen ? 1 : 2 : 0;
}

int main(void) {
    static const char *const words[] = { "does not arrive within 5 s", "arrives", "is read, but poll does not report it" };
    check(!unshare(CLONE_NEWNET), "unshare");
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
