/*
 * A program as they were written for the patched kernels of 2016: enhanced HOST PORT LOCAL, where HOST sends back
 * what it receives and LOCAL is a second address of this host. It knows socket(), getsockopt() and setsockopt()
 * only, and nothing of the library: it is compiled with -DSUBFLOWS_ENHANCED_REPLACE -include subflows/enhanced.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) ((condition) ? (void)0 : failed(__LINE__, #condition))

/* Options of the patched kernels with other names in today's headers. */
enum { LEGACY_ENABLED = 42, LEGACY_SCHEDULER, LEGACY_PATH_MANAGER, LEGACY_INFO };

static int fd;
static struct sockaddr_storage local, remote;
/* Of one sockaddr, of the two families. */
static socklen_t length;

static void failed(int line, const char *condition) {
    fprintf(stderr, "enhanced.c:%d: %s does not hold; errno: %s\n", line, condition, strerror(errno));
    _exit(1);
}

static socklen_t parse(const char *ip, int port, struct sockaddr_storage *out) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    CHECK(inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
}

static void moves_data(void) {
    char byte = '?';
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    CHECK(send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
    CHECK(poll(&ready, 1, 30000) == 1);
    CHECK(recv(fd, &byte, 1, 0) == 1 && byte == '?');
}

/* As the libraries of that time did: a longer buffer for as long as the error is EINVAL. */
static struct mptcp_sub_ids *list(void) {
    for (socklen_t size = sizeof(struct mptcp_sub_ids);; size += sizeof(struct mptcp_sub_status)) {
        CHECK(size < 100);
        struct mptcp_sub_ids *ids = malloc(size);
        memset(ids, 0xff, size);
        socklen_t given = size;
        if (getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_IDS, ids, &given) == 0) {
            CHECK(given == 2 + 2u * ids->sub_count);
            return ids;
        }
        free(ids);
        CHECK(errno == EINVAL);
    }
}

/* The ids, such as "2 1": newest first. A subflow that carries no data yet has a minus sign. */
static const char *ids(void) {
    static char text[256];
    struct mptcp_sub_ids *listed = list();
    text[0] = 0;
    for (int i = 0; i < listed->sub_count; i++) {
        struct mptcp_sub_status *status = &listed->sub_status[i];
        CHECK(status->slave_sk == (status->id != 1));
        CHECK(!status->fully_established || status->attached);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%d", i ? " " : "",
                 status->fully_established ? "" : "-", status->id);
    }
    free(listed);
    return text;
}

static void becomes(const char *expected) {
    time_t start = time(NULL);
    const struct timespec pause = {.tv_nsec = 5000000};
    while (strcmp(ids(), expected) != 0) {
        if (time(NULL) - start > 20) {
            fprintf(stderr, "the list is \"%s\" and not \"%s\"\n", ids(), expected);
            _exit(1);
        }
        nanosleep(&pause, NULL);
    }
}

/* Opens a subflow with all that is not needed filled with rubbish, and returns its id. */
static int opens(const struct sockaddr_storage *from, const struct sockaddr_storage *to) {
    unsigned char tuple[57];
    memset(tuple, 0xa5, sizeof tuple);
    for (int end = 0; end < 2; end++) {
        const struct sockaddr_storage *address = end ? to : from;
        unsigned char *place = tuple + 1 + end * length;
        if (length == sizeof(struct sockaddr_in)) {
            /* Neither the family nor sin_zero. */
            memcpy(place + 2, (char *)address + 2, 6);
        } else {
            memcpy(place + 2, (char *)address + 2, 2);
            memcpy(place + 8, (char *)address + 8, 16);
        }
    }
    socklen_t size = 1 + 2 * length;
    if (getsockopt(fd, IPPROTO_TCP, MPTCP_OPEN_SUB_TUPLE, tuple, &size) != 0)
        return -1;
    return tuple[0];
}

static int closes(int id) {
    /* The drafts have 8 bytes here: { id, how }. */
    struct { unsigned char id; int how; } request = {.id = id, .how = SHUT_RDWR};
    socklen_t size = id % 2 ? 1 : sizeof request;
    return getsockopt(fd, IPPROTO_TCP, MPTCP_CLOSE_SUB_ID, &request, &size);
}

static int has_tuple(int id, struct sockaddr_storage *from, struct sockaddr_storage *to) {
    unsigned char tuple[64] = {id};
    socklen_t size = sizeof tuple;
    if (getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_TUPLE, tuple, &size) != 0)
        return -1;
    CHECK(size == 1 + 2 * length && tuple[0] == id);
    memset(from, 0, sizeof *from);
    memset(to, 0, sizeof *to);
    memcpy(from, tuple + 1, length);
    memcpy(to, tuple + 1 + length, length);
    return 0;
}

static int subflow_option(int id, int level, int name, void *value, unsigned size) {
    struct mptcp_sub_getsockopt request = {
        .id = id, .level = level, .optname = name, .optval = value, .optlen = &size};
    socklen_t request_size = sizeof request;
    int result = getsockopt(fd, IPPROTO_TCP, MPTCP_SUB_GETSOCKOPT, &request, &request_size);
    return result == 0 ? (int)size : -1;
}

static int set_subflow_option(int id, int level, int name, void *value, unsigned size) {
    struct mptcp_sub_setsockopt request = {
        .id = id, .level = level, .optname = name, .optval = value, .optlen = size};
    return setsockopt(fd, IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, &request, sizeof request);
}

static void fails(int result, int number) {
    CHECK(result == -1);
    CHECK(errno == number);
}

static void options(void) {
    struct tcp_info info;
    CHECK(subflow_option(2, IPPROTO_TCP, TCP_INFO, &info, sizeof info) == sizeof info);
    CHECK(info.tcpi_state == 1);
    char name[16];
    CHECK(subflow_option(1, IPPROTO_TCP, TCP_CONGESTION, name, sizeof name) == sizeof name);
    fails(subflow_option(9, IPPROTO_TCP, TCP_INFO, &info, sizeof info), EINVAL);

    int level = length == sizeof(struct sockaddr_in) ? IPPROTO_IP : IPPROTO_IPV6;
    int option = level == IPPROTO_IP ? IP_TOS : IPV6_TCLASS;
    int class = 0x48, read = -1;
    CHECK(set_subflow_option(2, level, option, &class, sizeof class) == 0);
    CHECK(subflow_option(2, level, option, &read, sizeof read) == sizeof read && read == class);
    CHECK(subflow_option(1, level, option, &read, sizeof read) == sizeof read && read == 0);
    int limit = 12345;
    CHECK(set_subflow_option(1, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit) == 0);
    CHECK(subflow_option(1, IPPROTO_TCP, TCP_USER_TIMEOUT, &read, sizeof read) == 4 && read == limit);
    CHECK(subflow_option(2, IPPROTO_TCP, TCP_USER_TIMEOUT, &read, sizeof read) == 4 && read == 0);

    char request[32] = {0};
    socklen_t size = 20;
    fails(getsockopt(fd, IPPROTO_TCP, MPTCP_SUB_GETSOCKOPT, request, &size), EINVAL);
    fails(setsockopt(fd, IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, request, 4), EINVAL);
}

/* With two subflows: the lengths that programs of that time passed, and those of the drafts' structures, which were never
 * those of the kernels. */
static void lengths(void) {
    unsigned char room[256];
    static const socklen_t wrong[] = {0, 1, 16, 32, 34, 35, 37, 49, 56, 58, 61, 64, 128};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        socklen_t size = wrong[i];
        fails(getsockopt(fd, IPPROTO_TCP, MPTCP_OPEN_SUB_TUPLE, room, &size), EINVAL);
    }
    /* A list is written if all of it fits, whatever else there is room for: 66 is Java's, 10 is Ruby's, which had
     * four bytes for each subflow; Ruby's own getsockopt passes 256. */
    for (socklen_t given = 0; given < sizeof room; given++) {
        socklen_t size = given;
        memset(room, 0xa5, sizeof room);
        int result = getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_IDS, room, &size);
        if (given < 6)
            fails(result, EINVAL);
        else
            CHECK(result == 0 && size == 6 && room[0] == 2 && room[2] == 2 && room[4] == 1 && room[6] == 0xa5);
    }
    for (socklen_t given = 0; given < sizeof room; given++) {
        socklen_t size = given;
        memset(room, 0xa5, sizeof room);
        room[0] = 2;
        int result = getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_TUPLE, room, &size);
        if (given < 1 + 2 * length)
            fails(result, EINVAL);
        else
            CHECK(result == 0 && size == 1 + 2 * length && room[0] == 2 && room[size] == 0xa5);
    }
    for (socklen_t given = 0; given < 64; given++) {
        socklen_t size = given;
        memset(room, 0, sizeof room);
        if (given != sizeof(struct mptcp_sub_getsockopt))
            fails(getsockopt(fd, IPPROTO_TCP, MPTCP_SUB_GETSOCKOPT, room, &size), EINVAL);
        if (given != sizeof(struct mptcp_sub_setsockopt))
            fails(setsockopt(fd, IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, room, size), EINVAL);
        /* An id that no subflow has. */
        room[0] = 9;
        fails(getsockopt(fd, IPPROTO_TCP, MPTCP_CLOSE_SUB_ID, room, &size), EINVAL);
    }
}

/* The options whose numbers the kernel uses for other things today. */
static void legacy(int is_connected) {
    int on = -1;
    socklen_t size = sizeof on;
    CHECK(getsockopt(fd, IPPROTO_TCP, LEGACY_ENABLED, &on, &size) == 0 && on == 1 && size == sizeof on);
    char name[16];
    size = sizeof name;
    CHECK(getsockopt(fd, IPPROTO_TCP, LEGACY_SCHEDULER, name, &size) == 0 && strcmp(name, "default") == 0);
    size = sizeof name;
    CHECK(getsockopt(fd, IPPROTO_TCP, LEGACY_PATH_MANAGER, name, &size) == 0 && strcmp(name, "default") == 0);
    if (is_connected) {
        fails(setsockopt(fd, IPPROTO_TCP, LEGACY_ENABLED, &on, sizeof on), EPERM);
        fails(setsockopt(fd, IPPROTO_TCP, LEGACY_SCHEDULER, "default", 8), EPERM);
        return;
    }
    CHECK(setsockopt(fd, IPPROTO_TCP, LEGACY_ENABLED, &on, sizeof on) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, LEGACY_SCHEDULER, "default", 8) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, LEGACY_PATH_MANAGER, "default", 8) == 0);
    fails(setsockopt(fd, IPPROTO_TCP, LEGACY_SCHEDULER, "redundant", 10), ENOENT);
    fails(setsockopt(fd, IPPROTO_TCP, LEGACY_PATH_MANAGER, "fullmesh", 9), ENOENT);
}

static void counters(void) {
    unsigned char meta[48];
    struct tcp_info initial, each[4];
    unsigned char addresses[4][56];
    struct {
        uint32_t tcp_info_len, sub_len, meta_len, sub_info_len, total_sub_info_len;
        void *meta_info, *initial, *subflows, *subflow_info;
    } info = {sizeof *each, sizeof each, sizeof meta, 56, sizeof addresses, meta, &initial, each, addresses};
    socklen_t size = sizeof info;
    CHECK(getsockopt(fd, IPPROTO_TCP, LEGACY_INFO, &info, &size) == 0);
    CHECK(info.meta_len == sizeof meta && meta[0] == 1);
    CHECK(info.tcp_info_len == sizeof *each && info.sub_len == 2 * sizeof *each);
    CHECK(initial.tcpi_state == 1 && each[0].tcpi_state == 1 && each[1].tcpi_state == 1);
    CHECK(info.total_sub_info_len == 2 * 56);
    CHECK(memcmp(addresses[1] + 4, (char *)&local + 4, 4) == 0 || length != sizeof(struct sockaddr_in));
}

/* Not, or no longer, Multipath TCP. */
static void is_tcp(int other) {
    int before = fd;
    fd = other;
    char room[64] = {1};
    for (int option = MPTCP_GET_SUB_IDS; option <= MPTCP_OPEN_SUB_TUPLE; option++) {
        socklen_t size = 1 + 2 * length;
        fails(getsockopt(fd, IPPROTO_TCP, option, room, &size), EOPNOTSUPP);
    }
    fails(subflow_option(1, IPPROTO_TCP, TCP_INFO, room, sizeof room), EOPNOTSUPP);
    fd = before;
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    length = parse(argv[1], atoi(argv[2]), &remote);
    parse(argv[3], 0, &local);

    fd = socket(remote.ss_family, SOCK_STREAM, 0);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0);
    legacy(0);
    is_tcp(fd);
    CHECK(connect(fd, (struct sockaddr *)&remote, length) == 0);
    legacy(1);
    becomes("1");

    /* Before the first data: taken, and carried out when it is possible. The peer's port of the connection. */
    struct sockaddr_storage no_port = remote;
    ((struct sockaddr_in *)&no_port)->sin_port = 0;
    CHECK(opens(&local, &no_port) == 2);
    becomes("-2 1");
    struct sockaddr_storage from, to;
    CHECK(has_tuple(2, &from, &to) == 0 && memcmp(&to, &remote, length) == 0);
    moves_data();
    becomes("2 1");
    CHECK(has_tuple(2, &from, &to) == 0 && has_tuple(1, &from, &to) == 0);
    CHECK(has_tuple(2, &from, &to) == 0 && memcmp(&to, &remote, length) == 0);
    ((struct sockaddr_in *)&from)->sin_port = 0;
    CHECK(memcmp(&from, &local, length) == 0);
    options();
    counters();

    /* Errors: EINVAL for unknown ids and short buffers only. */
    fails(closes(9), EINVAL);
    fails(closes(0), EINVAL);
    fails(has_tuple(9, &from, &to), EINVAL);
    unsigned char small[57] = {1};
    socklen_t size = 2 * length;
    fails(getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_TUPLE, small, &size), EINVAL);
    fails(getsockopt(fd, IPPROTO_TCP, MPTCP_OPEN_SUB_TUPLE, small, &size), EINVAL);
    lengths();
    size = 70;
    fails(getsockopt(fd, IPPROTO_TCP, 70, small, &size), ENOPROTOOPT);
    fails(getsockopt(fd, IPPROTO_TCP, MPTCP_GET_SUB_IDS, NULL, &size), EFAULT);
    struct sockaddr_storage foreign;
    parse(length == sizeof(struct sockaddr_in) ? "203.0.113.99" : "2001:db8::99", 0, &foreign);
    fails(opens(&foreign, &remote), EADDRNOTAVAIL);
    becomes("2 1");

    /* Close the initial one; ids are not used again; the kernel chooses the source. */
    CHECK(closes(1) == 0);
    becomes("2");
    moves_data();
    struct sockaddr_storage any = local;
    memset((char *)&any + (length == sizeof(struct sockaddr_in) ? 4 : 8), 0, length == sizeof(struct sockaddr_in) ? 4 : 16);
    CHECK(opens(&any, &remote) == 3);
    becomes("3 2");
    moves_data();

    /* A refresh: the same pair anew, then the old one closed. */
    CHECK(has_tuple(2, &from, &to) == 0);
    ((struct sockaddr_in *)&from)->sin_port = 0;
    CHECK(opens(&from, &to) == 4);
    becomes("4 3 2");
    CHECK(closes(2) == 0);
    becomes("4 3");
    moves_data();

    /* One that the peer refuses is listed until then. */
    struct sockaddr_storage nobody = remote;
    ((struct sockaddr_in *)&nobody)->sin_port = htons(1);
    CHECK(opens(&local, &nobody) == 5);
    becomes("4 3");

    /* Withdrawn before it is carried out, and the program closes the socket while another is opened. */
    CHECK(opens(&local, &remote) == 6 && closes(6) == 0);
    becomes("4 3");
    moves_data();
    CHECK(opens(&local, &remote) == 7);
    close(fd);
    fails(closes(1), EBADF);

    int plain = socket(AF_UNIX, SOCK_STREAM, 0);
    is_tcp(plain);
    return 0;
}
