/* Sockets of the system, without the library. */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Keeps a descriptor, or fails with errno if it is -1. */
static int keep_new(struct driver *driver, int fd, FILE *out)
{
    return fd < 0 ? fault_errno(driver) : keep_socket(driver, fd, out);
}

static int plain_socket(struct driver *driver, FILE *out)
{
    const char *family = text(driver, "family");
    if (family == NULL)
        return -1;
    int number = strcmp(family, "v4") == 0 ? AF_INET : AF_INET6;
    return keep_new(driver, socket(number, SOCK_STREAM | SOCK_CLOEXEC, 0), out);
}

/* Takes a descriptor that this process inherited. */
static int plain_take_fd(struct driver *driver, FILE *out)
{
    uint64_t fd;
    if (number(driver, "fd", INT32_MAX, &fd) < 0)
        return -1;
    return keep_new(driver, fcntl((int)fd, F_DUPFD_CLOEXEC, 0), out);
}

static int plain_bind(struct driver *driver, FILE *out)
{
    struct sockaddr_storage to;
    socklen_t length;
    int fd = find_socket(driver);
    if (fd < 0 || find_address(driver, "to", &to, &length) < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&to, length) < 0)
        return fault_errno(driver);
    return print_end(out, "local", fd, getsockname) ? 0 : fault_errno(driver);
}

static int plain_connect(struct driver *driver, FILE *out)
{
    struct sockaddr_storage to;
    socklen_t length;
    bool is_waiting = true;
    int fd = find_socket(driver);
    if (fd < 0 || find_address(driver, "to", &to, &length) < 0)
        return -1;
    if (maybe_text(driver, "wait") != NULL && flag(driver, "wait", &is_waiting) < 0)
        return -1;
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, is_waiting ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    int result = connect(fd, (struct sockaddr *)&to, length);
    int problem = errno;
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    errno = problem;
    if (result < 0)
        return errno == EINPROGRESS && !is_waiting ? 0 : fault_errno(driver);
    if (!print_end(out, "local", fd, getsockname) || !print_end(out, "remote", fd, getpeername))
        return fault_errno(driver);
    return 0;
}

static int plain_listen(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = find_socket(driver);
    if (fd < 0)
        return -1;
    return listen(fd, 128) < 0 ? fault_errno(driver) : 0;
}

static int plain_accept(struct driver *driver, FILE *out)
{
    int fd = find_socket(driver);
    if (fd < 0)
        return -1;
    if (wait_for(fd, POLLIN) < 0)
        return fault_errno(driver);
    return keep_new(driver, accept4(fd, NULL, NULL, SOCK_CLOEXEC), out);
}

/* Prints what was transferred, or fails with errno. */
static int report(struct driver *driver, FILE *out, int result,
                  const struct transferred *transferred)
{
    if (result < 0)
        return fault_errno(driver);
    print_number(out, "", "bytes", transferred->bytes);
    print_number(out, "", "crc32", transferred->crc32);
    return 0;
}

static int plain_send(struct driver *driver, FILE *out)
{
    uint64_t wanted;
    struct transferred transferred;
    atomic_bool is_ending = false;
    int fd = find_socket(driver);
    if (fd < 0 || number(driver, "bytes", UINT64_MAX, &wanted) < 0)
        return -1;
    return report(driver, out, send_bytes(fd, wanted, &is_ending, &transferred),
                  &transferred);
}

static int plain_receive(struct driver *driver, FILE *out)
{
    uint64_t wanted;
    struct transferred transferred;
    int fd = find_socket(driver);
    if (fd < 0 || number(driver, "bytes", UINT64_MAX, &wanted) < 0)
        return -1;
    return report(driver, out, receive_bytes(fd, wanted, &transferred), &transferred);
}

static int start(struct driver *driver, enum kind kind)
{
    int fd = find_socket(driver);
    if (fd < 0)
        return -1;
    struct transfer *transfer =
        transfer_start(fcntl(fd, F_DUPFD_CLOEXEC, 0), kind == SENDING);
    if (transfer == NULL)
        return fault_errno(driver);
    return keep(driver, kind, maybe_text(driver, "sock"), -1, transfer);
}

static int plain_start_sending(struct driver *driver, FILE *out)
{
    (void)out;
    return start(driver, SENDING);
}

static int plain_start_receiving(struct driver *driver, FILE *out)
{
    (void)out;
    return start(driver, RECEIVING);
}

static int end(struct driver *driver, FILE *out, enum kind kind)
{
    struct object *object = find(driver, kind, "sock");
    int fd = find_socket(driver);
    if (object == NULL || fd < 0)
        return -1;
    struct transferred transferred;
    object->kind = FREE;
    int result = transfer_end(object->handle, &transferred);
    if (result == 0 && kind == SENDING)
        result = shutdown(fd, SHUT_WR);
    return report(driver, out, result, &transferred);
}

static int plain_stop_sending(struct driver *driver, FILE *out)
{
    return end(driver, out, SENDING);
}

static int plain_finish_receiving(struct driver *driver, FILE *out)
{
    return end(driver, out, RECEIVING);
}

static int plain_shutdown(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = find_socket(driver);
    const char *how = fd < 0 ? NULL : text(driver, "how");
    if (how == NULL)
        return -1;
    int which = strcmp(how, "write") == 0 ? SHUT_WR : SHUT_RD;
    return shutdown(fd, which) < 0 ? fault_errno(driver) : 0;
}

static int plain_close(struct driver *driver, FILE *out)
{
    (void)out;
    const char *name = text(driver, "name");
    struct object *object = name == NULL ? NULL : search(driver, SOCKET, name);
    if (object != NULL)
        release(object);
    return name == NULL ? -1 : 0;
}

/* Sets or reads an option that is an integer. */
static int option(struct driver *driver, FILE *out)
{
    uint64_t level, name, given;
    int fd = find_socket(driver);
    if (fd < 0 || number(driver, "level", INT32_MAX, &level) < 0 ||
        number(driver, "option", INT32_MAX, &name) < 0 ||
        maybe_number(driver, "value", INT32_MAX, &given) < 0)
        return -1;
    int value = (int)given;
    socklen_t length = sizeof value;
    int result = strcmp(driver->request.verb, "plain.setsockopt") == 0
                     ? setsockopt(fd, (int)level, (int)name, &value, length)
                     : getsockopt(fd, (int)level, (int)name, &value, &length);
    if (result < 0)
        return fault_errno(driver);
    fprintf(out, " value=%d", value);
    return 0;
}

const struct verb plain_verbs[] = {
    { "plain.socket", plain_socket },
    { "plain.take_fd", plain_take_fd },
    { "plain.bind", plain_bind },
    { "plain.connect", plain_connect },
    { "plain.listen", plain_listen },
    { "plain.accept", plain_accept },
    { "plain.send", plain_send },
    { "plain.receive", plain_receive },
    { "plain.start_sending", plain_start_sending },
    { "plain.stop_sending", plain_stop_sending },
    { "plain.start_receiving", plain_start_receiving },
    { "plain.finish_receiving", plain_finish_receiving },
    { "plain.shutdown", plain_shutdown },
    { "plain.close", plain_close },
    { "plain.setsockopt", option },
    { "plain.getsockopt", option },
    { NULL, NULL },
};
