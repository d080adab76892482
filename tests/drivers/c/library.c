/* The verbs of the library, one line for one call. */
#include "driver.h"

#include <string.h>

/* What a call returned: 0, or -1 with the fault that the library tells. */
static int check(struct driver *driver, int result)
{
    return result < 0 ? fault_library(driver) : 0;
}

/* Takes host and port of a word apart, as subflows_connect() and subflows_listen() want them. */
struct ends {
    char host[64];
    const char *service;
};

static int ends(struct driver *driver, const char *key, struct ends *ends)
{
    const char *word = text(driver, key);
    const char *colon = word == NULL ? NULL : strrchr(word, ':');
    if (colon == NULL || (size_t)(colon - word) >= sizeof ends->host)
        return word == NULL ? -1 : fault_protocol(driver, key);
    bool has_brackets = *word == '[';
    snprintf(ends->host, sizeof ends->host, "%.*s", (int)(colon - word) - 2 * has_brackets,
             word + has_brackets);
    ends->service = colon + 1;
    return 0;
}

/* In C no time is the same as no limit given: it cannot be said. */
static int timeout(struct driver *driver, uint32_t *value)
{
    uint64_t milliseconds;
    if (maybe_number(driver, "timeout_ms", UINT32_MAX, &milliseconds) < 0)
        return -1;
    *value = (uint32_t)milliseconds;
    bool is_zero = maybe_text(driver, "timeout_ms") != NULL && milliseconds == 0;
    return is_zero ? fault_not_offered(driver, "a timeout of 0") : 0;
}

/* Reads an address into a place of ours, if there is one. */
static int maybe_address(struct driver *driver, const char *key, struct sockaddr_storage *place,
                         const struct sockaddr **value, socklen_t *length)
{
    if (maybe_text(driver, key) == NULL)
        return 0;
    *value = (const struct sockaddr *)place;
    return address(driver, key, place, length);
}

static int keep_checked(struct driver *driver, int fd, FILE *out)
{
    return fd < 0 ? fault_library(driver) : keep_socket(driver, fd, out);
}

static int new_socket(struct driver *driver, FILE *out)
{
    const char *family = text(driver, "family");
    if (family == NULL)
        return -1;
    int number = strcmp(family, "v4") == 0 ? AF_INET : AF_INET6;
    return keep_checked(driver, subflows_socket(number), out);
}

static int connect_to(struct driver *driver, FILE *out)
{
    struct ends to;
    struct sockaddr_storage local;
    struct subflows_connect_options options = { .interface = maybe_text(driver, "interface") };
    if (ends(driver, "to", &to) < 0 || is(driver, "control", &options.control) < 0 ||
        maybe_address(driver, "local", &local, &options.local, &options.local_length) < 0 ||
        timeout(driver, &options.timeout_ms) < 0)
        return -1;
    int fd = subflows_connect(to.host, to.service, &options, sizeof options);
    return keep_checked(driver, fd, out);
}

static int listen_at(struct driver *driver, FILE *out)
{
    struct ends at;
    struct subflows_listen_options options = { 0 };
    if (ends(driver, "at", &at) < 0 || is(driver, "only_v6", &options.only_v6) < 0)
        return -1;
    int fd = subflows_listen(at.host, at.service, &options, sizeof options);
    return keep_checked(driver, fd, out);
}

static int upgrade(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = sock(driver);
    return fd < 0 ? -1 : check(driver, subflows_upgrade(fd));
}

static int take_control(struct driver *driver, FILE *out)
{
    (void)out;
    int fd = sock(driver);
    return fd < 0 ? -1 : check(driver, subflows_take_control(fd));
}

static int status(struct driver *driver, FILE *out)
{
    struct subflows_status status;
    int fd = sock(driver);
    if (fd < 0 || check(driver, subflows_status(fd, &status, sizeof status)) < 0)
        return -1;
    put_status(out, &status);
    return 0;
}

static int info(struct driver *driver, FILE *out)
{
    struct subflows_info info;
    int fd = sock(driver);
    if (fd < 0 || check(driver, subflows_info(fd, &info, sizeof info)) < 0)
        return -1;
    put_info(out, &info);
    return 0;
}

/* The most of anything that is listed here. */
enum { ROOM = 512 };

static void number_of(char before[32], const char *outer, int index)
{
    snprintf(before, 32, "%s%d.", outer, index);
}

static int list(struct driver *driver, FILE *out)
{
    struct subflows_subflow subflows[ROOM];
    int fd = sock(driver);
    int count = fd < 0 ? -1 : subflows_list(fd, subflows, ROOM, sizeof subflows[0]);
    if (count < 0)
        return fd < 0 ? -1 : fault_library(driver);
    put_number(out, "count", (uint64_t)count);
    char before[32];
    for (int i = 0; i < count && i < ROOM; i++) {
        number_of(before, "", i);
        put_subflow(out, before, &subflows[i]);
    }
    return 0;
}

static int addresses(struct driver *driver, FILE *out)
{
    struct subflows_address addresses[ROOM];
    int fd = sock(driver);
    int count = fd < 0 ? -1 : subflows_addresses(fd, addresses, ROOM, sizeof addresses[0]);
    if (count < 0)
        return fd < 0 ? -1 : fault_library(driver);
    put_number(out, "count", (uint64_t)count);
    char before[32];
    for (int i = 0; i < count && i < ROOM; i++) {
        number_of(before, "", i);
        put_address_record(out, before, &addresses[i]);
    }
    return 0;
}

/* The socket and the subflow that the request is about. */
static int sock_and_id(struct driver *driver, uint32_t *id)
{
    uint64_t value = 0;
    int fd = sock(driver);
    if (fd >= 0 && number(driver, "id", UINT32_MAX, &value) < 0)
        return -1;
    *id = (uint32_t)value;
    return fd;
}

static int details(struct driver *driver, FILE *out)
{
    struct subflows_details details;
    uint32_t id;
    int fd = sock_and_id(driver, &id);
    if (fd < 0 || check(driver, subflows_details(fd, id, &details, sizeof details)) < 0)
        return -1;
    put_details(out, "", &details);
    return 0;
}

static int open_one(struct driver *driver, FILE *out)
{
    struct sockaddr_storage local, remote;
    struct subflows_open_options options = { .interface = maybe_text(driver, "interface") };
    uint64_t port;
    int fd = sock(driver);
    if (fd < 0 || is(driver, "backup", &options.backup) < 0 ||
        is(driver, "unbound", &options.unbound) < 0 ||
        maybe_address(driver, "local", &local, &options.local, &options.local_length) < 0 ||
        maybe_address(driver, "remote", &remote, &options.remote, &options.remote_length) < 0 ||
        maybe_number(driver, "local_port", UINT16_MAX, &port) < 0 ||
        timeout(driver, &options.timeout_ms) < 0)
        return -1;
    options.local_port = (uint16_t)port;
    struct subflows_subflow opened;
    if (check(driver, subflows_open(fd, &options, sizeof options, &opened, sizeof opened)) < 0)
        return -1;
    put_subflow(out, "", &opened);
    return 0;
}

static int close_one(struct driver *driver, FILE *out)
{
    (void)out;
    uint32_t id;
    int fd = sock_and_id(driver, &id);
    if (fd < 0)
        return -1;
    bool is_forced = strcmp(driver->request.verb, "force_close") == 0;
    return check(driver, is_forced ? subflows_force_close(fd, id) : subflows_close(fd, id));
}

static int set_backup(struct driver *driver, FILE *out)
{
    (void)out;
    uint32_t id;
    bool yes;
    int fd = sock_and_id(driver, &id);
    if (fd < 0 || text(driver, "yes") == NULL || is(driver, "yes", &yes) < 0)
        return -1;
    return check(driver, subflows_set_backup(fd, id, yes));
}

static int announce(struct driver *driver, FILE *out)
{
    struct sockaddr_storage ip;
    socklen_t length;
    uint64_t port;
    struct subflows_announced *announced;
    int fd = sock(driver);
    const char *name = fd < 0 ? NULL : text(driver, "name");
    if (name == NULL || address(driver, "ip", &ip, &length) < 0 ||
        maybe_number(driver, "port", UINT16_MAX, &port) < 0)
        return -1;
    struct subflows_announce_options options = {
        .has_port = maybe_text(driver, "port") != NULL,
        .port = (uint16_t)port,
    };
    if (check(driver, subflows_announce(fd, (struct sockaddr *)&ip, length, &options,
                                        sizeof options, &announced)) < 0)
        return -1;
    struct sockaddr_storage told;
    if (check(driver, subflows_announced_address(announced, &told)) < 0)
        return -1;
    put_number(out, "id", (uint64_t)subflows_announced_id(announced));
    put_address(out, "address", &told);
    return keep(driver, ANNOUNCED, name, -1, announced);
}

static int turn_away(struct driver *driver, FILE *out)
{
    struct thing *thing = find(driver, ANNOUNCED, "handle");
    int count = thing == NULL ? -1 : subflows_announced_turn_away(thing->handle);
    if (count < 0)
        return thing == NULL ? -1 : fault_library(driver);
    put_number(out, "count", (uint64_t)count);
    return 0;
}

static int withdraw(struct driver *driver, FILE *out)
{
    (void)out;
    struct thing *thing = find(driver, ANNOUNCED, "handle");
    if (thing == NULL)
        return -1;
    thing->kind = FREE;
    return check(driver, subflows_announced_withdraw(thing->handle));
}

static int events(struct driver *driver, FILE *out)
{
    (void)out;
    struct subflows_events *events;
    const char *name = text(driver, "name");
    int fd = name == NULL || maybe_text(driver, "sock") == NULL ? -1 : sock(driver);
    if (name == NULL || (maybe_text(driver, "sock") != NULL && fd < 0))
        return -1;
    int result = fd < 0 ? subflows_events_of_namespace(&events) : subflows_events(fd, &events);
    return check(driver, result) < 0 ? -1 : keep(driver, EVENTS, name, -1, events);
}

static int next(struct driver *driver, FILE *out)
{
    struct subflows_event event;
    uint64_t timeout_ms;
    struct thing *thing = find(driver, EVENTS, "handle");
    if (thing == NULL || number(driver, "timeout_ms", INT32_MAX, &timeout_ms) < 0)
        return -1;
    int taken = subflows_events_next(thing->handle, &event, sizeof event, (int)timeout_ms);
    if (taken > 0)
        put_event(out, &event);
    return check(driver, taken);
}

static int unfollow(struct driver *driver, FILE *out)
{
    (void)out;
    struct thing *thing = find(driver, EVENTS, "handle");
    if (thing == NULL)
        return -1;
    forget(thing);
    return 0;
}

static int connections(struct driver *driver, FILE *out)
{
    struct subflows_details details[ROOM];
    struct subflows_connections_options options = { 0 };
    struct subflows_connections *connections;
    if (is(driver, "subflows", &options.subflows) < 0 ||
        check(driver, subflows_connections(&options, sizeof options, &connections)) < 0)
        return -1;
    struct subflows_connection connection;
    char before[32], inner[32], name[64];
    int count = 0, taken;
    while ((taken = subflows_connections_next(connections, &connection, sizeof connection)) > 0) {
        number_of(before, "", count++);
        put_connection(out, before, &connection);
        int found = subflows_connections_subflows(connections, details, ROOM, sizeof details[0]);
        if (found < 0) {
            taken = found;
            break;
        }
        snprintf(name, sizeof name, "%ssubflows.count", before);
        put_number(out, name, (uint64_t)found);
        snprintf(name, sizeof name, "%ssubflows.", before);
        for (int i = 0; i < found && i < ROOM; i++) {
            number_of(inner, name, i);
            put_details(out, inner, &details[i]);
        }
    }
    put_number(out, "count", (uint64_t)count);
    int result = check(driver, taken);
    subflows_connections_close(connections);
    return result;
}

static int connection(struct driver *driver, FILE *out)
{
    struct subflows_connection connection;
    uint64_t token;
    if (number(driver, "token", UINT32_MAX, &token) < 0 ||
        check(driver, subflows_connection((uint32_t)token, &connection, sizeof connection)) < 0)
        return -1;
    put_connection(out, "", &connection);
    return 0;
}

static int capabilities(struct driver *driver, FILE *out)
{
    struct subflows_capabilities *capabilities;
    if (check(driver, subflows_capabilities(&capabilities)) < 0)
        return -1;
    struct subflows_capability capability;
    char before[32];
    int count = 0, taken;
    while ((taken = subflows_capabilities_next(capabilities, &capability, sizeof capability)) > 0) {
        number_of(before, "", count++);
        put_capability(out, before, &capability);
    }
    put_number(out, "count", (uint64_t)count);
    int result = check(driver, taken);
    subflows_capabilities_close(capabilities);
    return result;
}

const struct verb library_verbs[] = {
    { "socket", new_socket },
    { "connect", connect_to },
    { "listen", listen_at },
    { "upgrade", upgrade },
    { "take_control", take_control },
    { "status", status },
    { "info", info },
    { "list", list },
    { "details", details },
    { "open", open_one },
    { "close", close_one },
    { "force_close", close_one },
    { "set_backup", set_backup },
    { "announce", announce },
    { "turn_away", turn_away },
    { "withdraw", withdraw },
    { "addresses", addresses },
    { "events", events },
    { "next", next },
    { "unfollow", unfollow },
    { "connections", connections },
    { "connection", connection },
    { "capabilities", capabilities },
    { NULL, NULL },
};
