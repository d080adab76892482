/* Answers: prints the fields, and records the last error. */
#include "driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int fault(struct driver *driver, const char *kind, int number, const char *remedy)
{
    struct fault *fault = &driver->fault;
    snprintf(fault->kind, sizeof fault->kind, "%s", kind);
    snprintf(fault->remedy, sizeof fault->remedy, "%s", remedy);
    fault->number = number;
    return -1;
}

int fault_protocol(struct driver *driver, const char *what)
{
    fprintf(stderr, "%s: %s\n", driver->request.verb, what);
    return fault(driver, "Protocol", 0, "");
}

/* C cannot express the request. */
int fault_not_offered(struct driver *driver, const char *what)
{
    fprintf(stderr, "%s: %s\n", driver->request.verb, what);
    return fault(driver, "NotOffered", 0, "");
}

int fault_errno(struct driver *driver)
{
    int number = errno;
    fprintf(stderr, "%s: %s\n", driver->request.verb, strerror(number));
    return fault(driver, "Os", number, "");
}

int fault_library(struct driver *driver)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s. %s\n", error.message, error.remedy);
    return fault(driver, subflows_error_name(error.kind), error.number, error.remedy);
}

/* Takes the result of a call of the library; 0, or -1 with the library's error. */
int check(struct driver *driver, int result)
{
    return result < 0 ? fault_library(driver) : 0;
}

void print_text(FILE *out, const char *prefix, const char *name, const char *value)
{
    fprintf(out, " %s%s=", prefix, name);
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        bool is_plain = byte > ' ' && byte < 0x7f && byte != '%';
        fprintf(out, is_plain ? "%c" : "%%%02X", byte);
    }
}

void print_number(FILE *out, const char *prefix, const char *name, uint64_t value)
{
    fprintf(out, " %s%s=%llu", prefix, name, (unsigned long long)value);
}

void print_socket_address(FILE *out, const char *prefix, const char *name,
                          const struct sockaddr_storage *value)
{
    char host[INET6_ADDRSTRLEN] = "", whole[INET6_ADDRSTRLEN + 32], scope[16] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)value;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)value;
    bool is_v4 = value->ss_family == AF_INET;
    if (is_v4)
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    if (!is_v4 && v6->sin6_scope_id != 0)
        snprintf(scope, sizeof scope, "%%%u", (unsigned)v6->sin6_scope_id);
    /* The port has the same offset in both structs. */
    snprintf(whole, sizeof whole, is_v4 ? "%s%s:%u" : "[%s%s]:%u", host, scope,
             (unsigned)ntohs(v4->sin_port));
    print_text(out, prefix, name, whole);
}

void print_ip(FILE *out, const char *prefix, const char *name, const struct sockaddr_storage *value)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (value->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)value)->sin_addr, host, sizeof host);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)value)->sin6_addr, host, sizeof host);
    print_text(out, prefix, name, host);
}

/* The prefix of an item's fields: `0.`, or `0.subflows.1.` after the prefix of the list. */
const char *item_prefix(char room[PREFIX_SIZE], const char *outer, int index)
{
    snprintf(room, PREFIX_SIZE, "%s%d.", outer, index);
    return room;
}
