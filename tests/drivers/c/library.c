/* The operations that return a socket or a handle in C, or take a value of any type: each call has a form
 * of its own. The others are in operations.c. */
#include "operations.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Host and port as subflows_connect() and subflows_listen() take them. */
struct target {
    char host[64];
    const char *service;
};

static int target(struct driver *driver, struct target *target)
{
    const char *word = text(driver, "address");
    const char *colon = word == NULL ? NULL : strrchr(word, ':');
    if (colon == NULL || (size_t)(colon - word) >= sizeof target->host)
        return word == NULL ? -1 : fault_protocol(driver, "address");
    bool has_brackets = *word == '[';
    snprintf(target->host, sizeof target->host, "%.*s", (int)(colon - word) - 2 * has_brackets,
             word + has_brackets);
    target->service = colon + 1;
    return 0;
}

static int keep_checked(struct driver *driver, int fd, FILE *out)
{
    return fd < 0 ? fault_library(driver) : keep_socket(driver, fd, out);
}

static int make_socket(struct driver *driver, FILE *out)
{
    const char *family = text(driver, "family");
    if (family == NULL)
        return -1;
    int number = strcmp(family, "v4") == 0 ? AF_INET : AF_INET6;
    return keep_checked(driver, subflows_socket(number), out);
}

static int connect_to(struct driver *driver, FILE *out)
{
    struct target to;
    struct connect_words words;
    if (target(driver, &to) < 0 || read_connect(driver, &words) < 0)
        return -1;
    int fd = subflows_connect(to.host, to.service, &words.options, sizeof words.options);
    return keep_checked(driver, fd, out);
}

static int listen_at(struct driver *driver, FILE *out)
{
    struct target at;
    struct listen_words words;
    if (target(driver, &at) < 0 || read_listen(driver, &words) < 0)
        return -1;
    int fd = subflows_listen(at.host, at.service, &words.options, sizeof words.options);
    return keep_checked(driver, fd, out);
}

static int announce(struct driver *driver, FILE *out)
{
    struct sockaddr_storage ip, announced_address;
    socklen_t length;
    struct announce_words words;
    struct subflows_announced *announced;
    int fd = find_socket(driver);
    const char *name = fd < 0 ? NULL : text(driver, "name");
    if (name == NULL || find_address(driver, "address", &ip, &length) < 0 ||
        read_announce(driver, &words) < 0 ||
        check(driver, subflows_announce(fd, (struct sockaddr *)&ip, length, &words.options,
                                        sizeof words.options, &announced)) < 0 ||
        check(driver, subflows_announced_address(announced, &announced_address)) < 0)
        return -1;
    print_number(out, "", "id", (uint64_t)subflows_announced_id(announced));
    print_socket_address(out, "", "address", &announced_address);
    return keep(driver, ANNOUNCED, name, -1, announced);
}

/* The constant of an option from its name in small letters; 0 if there is none. */
static int option_number(const char *key)
{
    for (int option = 1; option < 64; option++) {
        const char *name = subflows_subflow_option_name(option), *at = key;
        for (; *name != '\0'; name++) {
            if (isupper((unsigned char)*name) && at != key && *at++ != '_')
                break;
            if (*at++ != tolower((unsigned char)*name))
                break;
        }
        if (*name == '\0' && *at == '\0')
            return option;
    }
    return 0;
}

enum { VALUE_MAX = 64 };

/* The value of an option as C passes it; its size, or -1 with a fault. */
static int option_value(struct driver *driver, unsigned char value[VALUE_MAX])
{
    const char *word = text(driver, "value");
    char *end;
    if (word == NULL)
        return -1;
    if (strncmp(word, "0x", 2) == 0) {
        int size = 0;
        for (word += 2; size < VALUE_MAX && sscanf(word, "%2hhx", &value[size]) == 1; word += 2)
            size++;
        return size;
    }
    uint64_t number = strtoull(word, &end, 10);
    if (*word != '\0' && *end == '\0') {
        memcpy(value, &number, sizeof number);
        return sizeof number;
    }
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
        *value = *word == 't';
        return 1;
    }
    return snprintf((char *)value, VALUE_MAX, "%s", word);
}

static int set_option(struct driver *driver, FILE *out)
{
    unsigned char value[VALUE_MAX];
    uint64_t id;
    int fd = find_socket(driver);
    const char *key = fd < 0 ? NULL : text(driver, "option");
    int size = key == NULL ? -1 : option_value(driver, value);
    (void)out;
    if (size < 0 || number(driver, "id", UINT32_MAX, &id) < 0)
        return -1;
    return check(driver, subflows_set_option(fd, (uint32_t)id, option_number(key), value,
                                             (size_t)size));
}

static int get_option(struct driver *driver, FILE *out)
{
    uint64_t id, value;
    char name[16];
    bool is_on;
    int fd = find_socket(driver);
    const char *key = fd < 0 ? NULL : text(driver, "option");
    if (key == NULL || number(driver, "id", UINT32_MAX, &id) < 0)
        return -1;
    int option = option_number(key), result;
    switch (option) {
    case SUBFLOWS_SUBFLOW_OPTION_CONGESTION_CONTROL:
        result = subflows_get_option(fd, (uint32_t)id, option, name, sizeof name);
        break;
    case SUBFLOWS_SUBFLOW_OPTION_KEEPALIVE:
    case SUBFLOWS_SUBFLOW_OPTION_NO_DELAY:
        result = subflows_get_option(fd, (uint32_t)id, option, &is_on, sizeof is_on);
        snprintf(name, sizeof name, "%s", result == 0 && is_on ? "true" : "false");
        break;
    default:
        result = subflows_get_option(fd, (uint32_t)id, option, &value, sizeof value);
        snprintf(name, sizeof name, "%llu", result == 0 ? (unsigned long long)value : 0);
    }
    if (check(driver, result) < 0)
        return -1;
    print_text(out, "", "value", name);
    return 0;
}

static int raw_option(struct driver *driver, uint64_t *id, uint64_t *level, uint64_t *option)
{
    return number(driver, "id", UINT32_MAX, id) < 0 ||
                   number(driver, "level", UINT32_MAX, level) < 0 ||
                   number(driver, "number", UINT32_MAX, option) < 0
               ? -1
               : 0;
}

static int set_raw_option(struct driver *driver, FILE *out)
{
    unsigned char value[VALUE_MAX];
    uint64_t id, level, option;
    int fd = find_socket(driver);
    int size = fd < 0 ? -1 : option_value(driver, value);
    (void)out;
    if (size < 0 || raw_option(driver, &id, &level, &option) < 0)
        return -1;
    return check(driver, subflows_set_raw_option(fd, (uint32_t)id, (uint32_t)level,
                                                 (uint32_t)option, value, (size_t)size));
}

static int get_raw_option(struct driver *driver, FILE *out)
{
    unsigned char value[VALUE_MAX];
    char word[2 * VALUE_MAX + 3] = "0x";
    uint64_t id, level, option, length;
    int fd = find_socket(driver);
    if (fd < 0 || raw_option(driver, &id, &level, &option) < 0 ||
        number(driver, "length", VALUE_MAX, &length) < 0 ||
        check(driver, subflows_get_raw_option(fd, (uint32_t)id, (uint32_t)level, (uint32_t)option,
                                              (uint32_t)length, value, sizeof value)) < 0)
        return -1;
    for (uint64_t i = 0; i < length; i++)
        snprintf(word + 2 + 2 * i, 3, "%02x", value[i]);
    print_text(out, "", "value", word);
    return 0;
}

static int announced_turn_away(struct driver *driver, FILE *out)
{
    struct object *object = find(driver, ANNOUNCED, "handle");
    if (object == NULL)
        return -1;
    int count = subflows_announced_turn_away(object->handle);
    if (count >= 0)
        print_number(out, "", "count", (uint64_t)count);
    return check(driver, count);
}

static int announced_withdraw(struct driver *driver, FILE *out)
{
    (void)out;
    struct object *object = find(driver, ANNOUNCED, "handle");
    if (object == NULL)
        return -1;
    object->kind = FREE;
    return check(driver, subflows_announced_withdraw(object->handle));
}

static int events(struct driver *driver, FILE *out)
{
    (void)out;
    struct subflows_events *events;
    const char *name = text(driver, "name");
    bool is_of_socket = maybe_text(driver, "sock") != NULL;
    int fd = is_of_socket ? find_socket(driver) : -1;
    if (name == NULL || (is_of_socket && fd < 0))
        return -1;
    int result =
        is_of_socket ? subflows_events(fd, &events) : subflows_events_of_namespace(&events);
    return check(driver, result) < 0 ? -1 : keep(driver, EVENTS, name, -1, events);
}

static int events_next(struct driver *driver, FILE *out)
{
    struct subflows_event event;
    uint64_t timeout_ms;
    struct object *object = find(driver, EVENTS, "handle");
    if (object == NULL || number(driver, "timeout_ms", INT32_MAX, &timeout_ms) < 0)
        return -1;
    int taken = subflows_events_next(object->handle, &event, sizeof event, (int)timeout_ms);
    if (taken > 0)
        print_event(out, "", &event);
    return check(driver, taken);
}

static int events_close(struct driver *driver, FILE *out)
{
    (void)out;
    struct object *object = find(driver, EVENTS, "handle");
    if (object == NULL)
        return -1;
    release(object);
    return 0;
}

/* Prints the subflows of the connection that was taken last. */
static int print_subflows(struct driver *driver, FILE *out, const char *prefix,
                          struct subflows_connections *connections)
{
    struct subflows_details details[ITEMS_MAX];
    char list[PREFIX_SIZE], item[PREFIX_SIZE];
    int count =
        subflows_connections_subflows(connections, details, ITEMS_MAX, sizeof details[0]);
    if (check(driver, count) < 0)
        return -1;
    snprintf(list, sizeof list, "%ssubflows.", prefix);
    print_number(out, list, "count", (uint64_t)count);
    for (int i = 0; i < count && i < ITEMS_MAX; i++)
        print_details(out, item_prefix(item, list, i), &details[i]);
    return 0;
}

/* Prints the processes that hold the connection that was taken last. */
static int print_processes(struct driver *driver, FILE *out, const char *prefix,
                           struct subflows_connections *connections)
{
    struct subflows_process_info processes[ITEMS_MAX];
    char list[PREFIX_SIZE], item[PREFIX_SIZE];
    int count =
        subflows_connections_processes(connections, processes, ITEMS_MAX, sizeof processes[0]);
    if (check(driver, count) < 0)
        return -1;
    snprintf(list, sizeof list, "%sprocesses.", prefix);
    print_number(out, list, "count", (uint64_t)count);
    for (int i = 0; i < count && i < ITEMS_MAX; i++)
        print_process_info(out, item_prefix(item, list, i), &processes[i]);
    return 0;
}

static int connections(struct driver *driver, FILE *out)
{
    struct connections_words words;
    struct subflows_connections *connections;
    struct subflows_connection connection;
    char prefix[PREFIX_SIZE / 2];
    if (read_connections(driver, &words) < 0 ||
        check(driver, subflows_connections(&words.options, sizeof words.options, &connections)) < 0)
        return -1;
    int count = 0, result;
    while ((result = subflows_connections_next(connections, &connection, sizeof connection)) > 0) {
        snprintf(prefix, sizeof prefix, "%d.", count++);
        print_connection(out, prefix, &connection);
        if (print_subflows(driver, out, prefix, connections) < 0 ||
            print_processes(driver, out, prefix, connections) < 0)
            break;
    }
    print_number(out, "", "count", (uint64_t)count);
    /* Positive: what belongs to a connection could not be read, and the fault is recorded. */
    result = result > 0 ? -1 : check(driver, result);
    subflows_connections_close(connections);
    return result;
}

static int set_setting(struct driver *driver, FILE *out)
{
    (void)out;
    const char *name = text(driver, "setting");
    const char *value = text(driver, "value");
    if (name == NULL || value == NULL)
        return -1;
    return check(driver, subflows_set_setting(name, value));
}

static int capabilities(struct driver *driver, FILE *out)
{
    struct subflows_capabilities *capabilities;
    struct subflows_capability capability;
    char prefix[PREFIX_SIZE];
    if (check(driver, subflows_capabilities(&capabilities)) < 0)
        return -1;
    int count = 0, result;
    while ((result = subflows_capabilities_next(capabilities, &capability, sizeof capability)) > 0)
        print_capability(out, item_prefix(prefix, "", count++), &capability);
    print_number(out, "", "count", (uint64_t)count);
    result = check(driver, result);
    subflows_capabilities_close(capabilities);
    return result;
}

const struct verb library_verbs[] = {
    { "socket", make_socket },
    { "connect", connect_to },
    { "listen", listen_at },
    { "set_option", set_option },
    { "get_option", get_option },
    { "set_raw_option", set_raw_option },
    { "get_raw_option", get_raw_option },
    { "announce", announce },
    { "announced.turn_away", announced_turn_away },
    { "announced.withdraw", announced_withdraw },
    { "events", events },
    { "events.next", events_next },
    { "events.close", events_close },
    { "connections", connections },
    { "set_setting", set_setting },
    { "capabilities", capabilities },
    { NULL, NULL },
};
