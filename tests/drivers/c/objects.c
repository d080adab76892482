/* Sockets and handles by the names that the runner gives them. */
#include "driver.h"

#include <string.h>
#include <unistd.h>

struct object *search(struct driver *driver, enum kind kind, const char *name)
{
    for (int i = 0; i < OBJECTS_MAX; i++) {
        struct object *object = &driver->objects[i];
        if (object->kind == kind && (kind == FREE || strcmp(object->name, name) == 0))
            return object;
    }
    return NULL;
}

/* The object whose name is the value of a key; NULL with a fault. */
struct object *find(struct driver *driver, enum kind kind, const char *key)
{
    const char *name = text(driver, key);
    struct object *object = name == NULL ? NULL : search(driver, kind, name);
    if (name != NULL && object == NULL)
        fault_protocol(driver, "no object has this name");
    return object;
}

/* Closes the socket or the handle. */
void release(struct object *object)
{
    struct transferred transferred;
    switch (object->kind) {
    case FREE: break;
    case SOCKET: close(object->fd); break;
    case SENDING:
    case RECEIVING: transfer_end(object->handle, &transferred); break;
    case ANNOUNCED: subflows_announced_withdraw(object->handle); break;
    case EVENTS: subflows_events_close(object->handle); break;
    }
    object->kind = FREE;
}

/* Gives a name to an object. An older one of the same name and kind is closed. */
int keep(struct driver *driver, enum kind kind, const char *name, int fd, void *handle)
{
    struct object *object = search(driver, kind, name);
    if (object != NULL)
        release(object);
    object = search(driver, FREE, "");
    if (object == NULL || strlen(name) >= sizeof object->name)
        return fault_protocol(driver, "too many objects, or a name that is too long");
    *object = (struct object){ .kind = kind, .fd = fd, .handle = handle };
    strcpy(object->name, name);
    return 0;
}

/* Prints one end of a socket by getsockname(2) or getpeername(2); false with errno if it has none.
 * */
bool print_end(FILE *out, const char *name, int fd,
                    int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict))
{
    struct sockaddr_storage end = { 0 };
    socklen_t length = sizeof end;
    if (ask(fd, (struct sockaddr *)&end, &length) < 0)
        return false;
    print_socket_address(out, "", name, &end);
    return true;
}

/* Keeps a new socket under the name that the request gives it, and prints its ends. */
int keep_socket(struct driver *driver, int fd, FILE *out)
{
    const char *name = text(driver, "name");
    if (fd < 0 || name == NULL || keep(driver, SOCKET, name, fd, NULL) < 0)
        return -1;
    print_end(out, "local", fd, getsockname);
    print_end(out, "remote", fd, getpeername);
    return 0;
}

/* The socket that the request names, or -1 with a fault. */
int find_socket(struct driver *driver)
{
    struct object *object = find(driver, SOCKET, "sock");
    return object == NULL ? -1 : object->fd;
}
