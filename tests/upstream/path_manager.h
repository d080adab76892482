/* The path manager's generic netlink, for the reproducers that send its commands. */
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>

enum { SUBFLOW_CREATE = 10, SUBFLOW_DESTROY = 11, REMOTE = 6 }; /* as in <linux/mptcp_pm.h> */

/* Each thread has its own, opened in the thread's namespace. */
static __thread int netlink = -1;
static __thread struct {
    struct nlmsghdr head;
    struct genlmsghdr generic;
    char attributes[512];
} request;

/* Sets the path manager of the sockets that are made from now on. */
static inline void path_manager(int is_userspace) {
    int file = open("/proc/sys/net/mptcp/path_manager", O_WRONLY);
    const char *value = is_userspace ? "userspace" : "kernel";
    if (file < 0) {
        file = open("/proc/sys/net/mptcp/pm_type", O_WRONLY);
        value = is_userspace ? "1" : "0";
    }
    check(file >= 0 && write(file, value, strlen(value)) > 0, "net.mptcp.path_manager");
    close(file);
}

/* A socket with the userspace path manager. */
static inline int userspace_socket(void) {
    path_manager(1);
    int sock = new_socket(AF_INET, IPPROTO_MPTCP);
    path_manager(0);
    return sock;
}

static inline struct mptcp_info info_of(int sock) {
    struct mptcp_info info;
    socklen_t size = sizeof info;
    check(!getsockopt(sock, SOL_MPTCP, MPTCP_INFO, &info, &size), "MPTCP_INFO");
    return info;
}

static inline struct nlattr *put(int type, const void *value, int size) {
    struct nlattr *attribute = (void *)((char *)&request + NLMSG_ALIGN(request.head.nlmsg_len));
    attribute->nla_type = type;
    attribute->nla_len = NLA_HDRLEN + size;
    if (size) memcpy((char *)attribute + NLA_HDRLEN, value, size);
    request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
    return attribute;
}

/* Ends an attribute of attributes, which `put` began. */
static inline void end(struct nlattr *nest) {
    nest->nla_len = (char *)&request + request.head.nlmsg_len - (char *)nest;
}

static inline void begin(int type, int command) {
    memset(&request, 0, sizeof request);
    request.head = (struct nlmsghdr){ NLMSG_LENGTH(GENL_HDRLEN), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0 };
    request.generic = (struct genlmsghdr){ command, 1, 0 };
}

/* Sends the request. Returns an error number; leaves the first answer that is not an
 * acknowledgement in `answer`. */
static inline int ask(char *answer, int size) {
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

/* The number of a family of generic netlink. */
static inline int family(const char *name) {
    char answer[512];
    begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    put(CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
    errno = ask(answer, sizeof answer);
    check(!errno, name);
    for (char *at = answer + NLMSG_LENGTH(GENL_HDRLEN);; at += NLA_ALIGN(((struct nlattr *)at)->nla_len))
        if (((struct nlattr *)at)->nla_type == CTRL_ATTR_FAMILY_ID) return *(unsigned short *)(at + NLA_HDRLEN);
}

static inline void put_address(int type, struct sockaddr_in address, unsigned char id) {
    struct nlattr *nest = put(type | NLA_F_NESTED, NULL, 0);
    unsigned short inet = AF_INET, port = ntohs(address.sin_port);
    put(MPTCP_PM_ADDR_ATTR_FAMILY, &inet, 2);
    put(MPTCP_PM_ADDR_ATTR_ADDR4, &address.sin_addr, 4);
    if (port) put(MPTCP_PM_ADDR_ATTR_PORT, &port, 2);
    if (id) put(MPTCP_PM_ADDR_ATTR_ID, &id, 1);
    end(nest);
}

/* Returns an error number. */
static inline int try_subflow(int command, unsigned token, struct sockaddr_in from, unsigned char id, struct sockaddr_in to) {
    begin(family("mptcp_pm"), command);
    put(MPTCP_PM_ATTR_TOKEN, &token, 4);
    put_address(MPTCP_PM_ATTR_ADDR, from, id);
    put_address(REMOTE, to, 0);
    return ask(NULL, 0);
}

static inline void subflow(int command, unsigned token, struct sockaddr_in from, unsigned char id, struct sockaddr_in to) {
    errno = try_subflow(command, token, from, id, to);
    check(!errno, command == SUBFLOW_CREATE ? "MPTCP_PM_CMD_SUBFLOW_CREATE" : "MPTCP_PM_CMD_SUBFLOW_DESTROY");
}
