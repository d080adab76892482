/* Sockets by the system's own means, and everything that the runner has given a name. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static struct thing *search(struct driver *driver, enum kind kind, const char *name)
{
    for (int i = 0; i < THINGS_MAX; i++) {
        struct thing *thing = &driver->things[i];
        if (thing->kind == kind && (kind == FREE || strcmp(thing->name, name) == 0))
            return thing;
    }
    return NULL;
}

/* What has the name that the request says; NULL with a fault. */
struct thing *find(struct driver *driver, enum kind kind, const char *key)
{
    const char *name = text(driver, key);
    struct thing *thing = name == NULL ? NULL : search(driver, kind, name);
    if (name != NULL && thing == NULL)
        fault_protocol(driver, "nothing has this name");
    return thing;
}

/* Closes what it holds. */
void forget(struct thing *thing)
{
    struct carried carried;
    switch (thing->kind) {
    case FREE: break;
    case SOCKET: close(thing->fd); break;
    case POURED:
    case DRAINED: flow_end(thing->handle, &carried); break;
    case ANNOUNCED: subflows_announced_withdraw(thing->handle); break;
    case EVENTS: subflows_events_close(thing->handle); break;
    }
    thing->kind = FREE;
}

/* Gives it a name, which something else may have had. */
int keep(struct driver *driver, enum kind kind, const char *name, int fd, void *handle)
{
    struct thing *thing = search(driver, kind, name);
    if (thing != NULL)
        forget(thing);
    thing = search(driver, FREE, "");
    if (thing == NULL || strlen(name) >= sizeof thing->name)
        return fault_protocol(driver, "too many names, or a long one");
    *thing = (struct thing){ .kind = kind, .fd = fd, .handle = handle };
    strcpy(thing->name, name);
    return 0;
}

/* Tells an end of a socket, if it has that. */
static bool put_end(FILE *out, const char *name, int fd,
                    int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict))
{
    struct sockaddr_storage end = { 0 };
    socklen_t length = sizeof end;
    if (ask(fd, (struct sockaddr *)&end, &length) < 0)
        return false;
    put_address(out, name, &end);
    return true;
}

/* Keeps a new socket under the name that the request gives it, and tells its ends. */
int keep_socket(struct driver *driver, int fd, FILE *out)
{
    const char *name = text(driver, "name");
    if (fd < 0 || name == NULL || keep(driver, SOCKET, name, fd, NULL) < 0)
        return -1;
    put_end(out, "local", fd, getsockname);
    put_end(out, "remote", fd, getpeername);
    return 0;
}

/* The socket that the request is about, or -1 with a fault. */
int sock(struct driver *driver)
{
    struct thing *thing = find(driver, SOCKET, "sock");
    return thing == NULL ? -1 : thing->fd;
}

/* A descriptor that may be -1 with errno. */
static int keep_new(struct driver *driver, int fd, FILE *out)
{
    return fd < 0 ? fault_errno(driver) : keep_socket(driver, fd, out);
}

static int tcp(struct driver *driver, FILE *out)
{
    const char *family = text(driver, "family");
    if (family == NULL)
        return -1;
    int number = strcmp(family, "v4") == 0 ? AF_INET : AF_INET6;
    return keep_new(driver, socket(number, SOCK_STREAM | SOCK_CLOEXEC, 0), out);
}

/* A socket that this process was started with. */
static int adopt(struct driver *driver, FILE *out)
{
    uint64_t fd;
    if (number(driver, "fd", INT32_MAX, &fd) < 0)
        return -1;
    return keep_new(driver, fcntl((int)fd, F_DUPFD_CLOEXEC, 0), out);
}

static int bind_to(struct driver *driver, FILE *out)
{
    struct sockaddr_storage to;
    socklen_t length;
    int fd = sock(driver);
    if (fd < 0 || address(driver, "to", &to, &length) < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&to, length) < 0)
        return fault_errno(driver);
    return put_end(out, "local", fd, getsockname) ? 0 : fault_errno(driver);
}

static int dial(struct driver *driver, FILE *out)
{
    struct sockaddr_storage to;
    socklen_t length;
    bool is_waiting = true;
    int fd = sock(driver);
    if (fd < 0 || address(driver, "to", &to, &length) < 0)
        return -1;
    if (maybe_text(driver, "wait") != NULL && is(driver, "wait", &is_waiting) < 0)
        return -1;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, is_waiting ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    int result = connect(fd, (struct sockaddr *)&to, length);
    int problem = errno;
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    errno = problem;
    if (result < 0)
        return errno == EINPROGRESS && !is_waiting ? 0 : fault_errno(driver);
    if (!put_end(out, "local", fd, getsockname) || !put_end(out, "remote", fd, getpeername))
        return fault_errno(driver);
    return 0;
}

static int hear(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = sock(driver);
    if (fd < 0)
        return -1;
    return listen(fd, 128) < 0 ? fault_errno(driver) : 0;
}

static int take(struct driver *driver, FILE *out)
{
    int fd = sock(driver);
    if (fd < 0)
        return -1;
    if (wait_for(fd, POLLIN) < 0)
        return fault_errno(driver);
    return keep_new(driver, accept4(fd, NULL, NULL, SOCK_CLOEXEC), out);
}

/* Tells how much went through, unless that failed. */
static int tell(struct driver *driver, FILE *out, int result, const struct carried *carried)
{
    if (result < 0)
        return fault_errno(driver);
    put_number(out, "bytes", carried->bytes);
    put_number(out, "crc32", carried->crc32);
    return 0;
}

static int send_some(struct driver *driver, FILE *out)
{
    uint64_t wanted;
    struct carried carried;
    atomic_bool is_ending = false;
    int fd = sock(driver);
    if (fd < 0 || number(driver, "bytes", UINT64_MAX, &wanted) < 0)
        return -1;
    return tell(driver, out, pour(fd, wanted, &is_ending, &carried), &carried);
}

static int receive(struct driver *driver, FILE *out)
{
    uint64_t wanted;
    struct carried carried;
    int fd = sock(driver);
    if (fd < 0 || number(driver, "bytes", UINT64_MAX, &wanted) < 0)
        return -1;
    return tell(driver, out, drain(fd, wanted, &carried), &carried);
}

static int begin(struct driver *driver, enum kind kind)
{
    int fd = sock(driver);
    if (fd < 0)
        return -1;
    struct flow *flow = flow_start(fcntl(fd, F_DUPFD_CLOEXEC, 0), kind == POURED);
    return flow == NULL ? fault_errno(driver)
                        : keep(driver, kind, maybe_text(driver, "sock"), -1, flow);
}

static int begin_to_pour(struct driver *driver, FILE *out)
{
    (void)out;
    return begin(driver, POURED);
}

static int begin_to_drain(struct driver *driver, FILE *out)
{
    (void)out;
    return begin(driver, DRAINED);
}

static int end(struct driver *driver, FILE *out, enum kind kind)
{
    struct thing *thing = find(driver, kind, "sock");
    int fd = sock(driver);
    if (thing == NULL || fd < 0)
        return -1;
    struct carried carried;
    thing->kind = FREE;
    int result = flow_end(thing->handle, &carried);
    if (result == 0 && kind == POURED)
        result = shutdown(fd, SHUT_WR);
    return tell(driver, out, result, &carried);
}

static int poured(struct driver *driver, FILE *out)
{
    return end(driver, out, POURED);
}

static int drained(struct driver *driver, FILE *out)
{
    return end(driver, out, DRAINED);
}

static int shut_down(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = sock(driver);
    const char *how = fd < 0 ? NULL : text(driver, "how");
    if (how == NULL)
        return -1;
    int which = strcmp(how, "write") == 0 ? SHUT_WR : SHUT_RD;
    return shutdown(fd, which) < 0 ? fault_errno(driver) : 0;
}

static int drop(struct driver *driver, FILE *out)
{
    (void)out;
    const char *name = text(driver, "name");
    struct thing *thing = name == NULL ? NULL : search(driver, SOCKET, name);
    if (thing != NULL)
        forget(thing);
    return name == NULL ? -1 : 0;
}

/* Reads or writes an option of the socket that is a number. */
static int option(struct driver *driver, FILE *out)
{
    uint64_t level, name, given;
    int fd = sock(driver);
    if (fd < 0 || number(driver, "level", INT32_MAX, &level) < 0 ||
        number(driver, "option", INT32_MAX, &name) < 0 ||
        maybe_number(driver, "value", INT32_MAX, &given) < 0)
        return -1;
    int value = (int)given;
    socklen_t length = sizeof value;
    int result = strcmp(driver->request.verb, "set_option") == 0
                     ? setsockopt(fd, (int)level, (int)name, &value, length)
                     : getsockopt(fd, (int)level, (int)name, &value, &length);
    if (result < 0)
        return fault_errno(driver);
    fprintf(out, " value=%d", value);
    return 0;
}

const struct verb own_verbs[] = {
    { "tcp", tcp },
    { "adopt", adopt },
    { "bind", bind_to },
    { "dial", dial },
    { "hear", hear },
    { "accept", take },
    { "send", send_some },
    { "receive", receive },
    { "pour", begin_to_pour },
    { "poured", poured },
    { "drain", begin_to_drain },
    { "drained", drained },
    { "shutdown", shut_down },
    { "drop", drop },
    { "set_option", option },
    { "get_option", option },
    { NULL, NULL },
};
