/* Lines: a request taken apart, an answer put together, and what went wrong. */
#include "driver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
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

/* Something that cannot be said in C. */
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

/* Decodes %XX in place; false for what is none, or would end a text of C's. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        if (!isxdigit((unsigned char)from[1]) || !isxdigit((unsigned char)from[2]))
            return false;
        char digits[3] = { from[1], from[2], '\0' };
        char byte = (char)strtoul(digits, NULL, 16);
        if (byte == '\0')
            return false;
        *to++ = byte;
        from += 2;
    }
    *to = '\0';
    return true;
}

int parse(struct driver *driver, char *line)
{
    struct request *request = &driver->request;
    char *rest = line;
    request->verb = strsep(&rest, " ");
    request->count = 0;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        char *value = strchr(word, '=');
        if (value == NULL || request->count == WORDS_MAX)
            return fault_protocol(driver, word);
        *value++ = '\0';
        if (!decode(value))
            return fault_not_offered(driver, "a text with a zero in it");
        request->words[request->count].key = word;
        request->words[request->count++].value = value;
    }
    return 0;
}

const char *maybe_text(const struct driver *driver, const char *key)
{
    for (int i = 0; i < driver->request.count; i++)
        if (strcmp(driver->request.words[i].key, key) == 0)
            return driver->request.words[i].value;
    return NULL;
}

const char *text(struct driver *driver, const char *key)
{
    const char *value = maybe_text(driver, key);
    if (value == NULL)
        fault_protocol(driver, key);
    return value;
}

int number(struct driver *driver, const char *key, uint64_t max, uint64_t *value)
{
    const char *word = text(driver, key);
    if (word == NULL)
        return -1;
    char *end;
    errno = 0;
    *value = strtoull(word, &end, 10);
    bool is_number = isdigit((unsigned char)*word) && *end == '\0' && errno == 0;
    return is_number && *value <= max ? 0 : fault_protocol(driver, key);
}

/* As number(), and 0 where it is not said. */
int maybe_number(struct driver *driver, const char *key, uint64_t max, uint64_t *value)
{
    *value = 0;
    return maybe_text(driver, key) == NULL ? 0 : number(driver, key, max, value);
}

/* Whether it is said to be so. */
int is(struct driver *driver, const char *key, bool *value)
{
    const char *word = maybe_text(driver, key);
    *value = word != NULL && strcmp(word, "true") == 0;
    bool is_known = word == NULL || *value || strcmp(word, "false") == 0;
    return is_known ? 0 : fault_protocol(driver, key);
}

/* Reads 10.0.0.1, 10.0.0.1:80, 2001:db8::1 or [2001:db8::1]:80. */
int address(struct driver *driver, const char *key, struct sockaddr_storage *value,
            socklen_t *length)
{
    const char *word = text(driver, key);
    if (word == NULL)
        return -1;
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 16];
    if ((size_t)snprintf(copy, sizeof copy, "%s", word) >= sizeof copy)
        return fault_protocol(driver, key);
    char *host = copy, *port = NULL;
    if (*copy == '[') {
        host++;
        port = strchr(copy, ']');
        if (port != NULL)
            *port++ = '\0';
    } else if (strchr(copy, ':') == strrchr(copy, ':')) {
        port = strchr(copy, ':');
    }
    if (port != NULL && *port == ':')
        *port++ = '\0';
    in_port_t number = htons(port == NULL ? 0 : (uint16_t)atoi(port));
    *value = (struct sockaddr_storage){ .ss_family = AF_INET };
    struct sockaddr_in *v4 = (struct sockaddr_in *)value;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)value;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_port = number;
        *length = sizeof *v4;
        return 0;
    }
    char *scope = strchr(host, '%');
    if (scope != NULL)
        *scope++ = '\0';
    *value = (struct sockaddr_storage){ .ss_family = AF_INET6 };
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return fault_protocol(driver, key);
    v6->sin6_port = number;
    v6->sin6_scope_id = scope == NULL ? 0 : (uint32_t)atoi(scope);
    *length = sizeof *v6;
    return 0;
}

void put_text(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=", name);
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        bool is_plain = byte > ' ' && byte < 0x7f && byte != '%';
        fprintf(out, is_plain ? "%c" : "%%%02X", byte);
    }
}

void put_number(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, " %s=%llu", name, (unsigned long long)value);
}

static void put(FILE *out, const char *name, const struct sockaddr_storage *value, bool with_port)
{
    char host[INET6_ADDRSTRLEN] = "", whole[INET6_ADDRSTRLEN + 32], scope[16] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)value;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)value;
    bool is_v4 = value->ss_family == AF_INET;
    if (is_v4)
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    if (!with_port) {
        put_text(out, name, host);
        return;
    }
    if (!is_v4 && v6->sin6_scope_id != 0)
        snprintf(scope, sizeof scope, "%%%u", (unsigned)v6->sin6_scope_id);
    /* The port stands at the same place in both. */
    snprintf(whole, sizeof whole, is_v4 ? "%s%s:%u" : "[%s%s]:%u", host, scope,
             (unsigned)ntohs(v4->sin_port));
    put_text(out, name, whole);
}

void put_address(FILE *out, const char *name, const struct sockaddr_storage *value)
{
    put(out, name, value, true);
}

void put_ip(FILE *out, const char *name, const struct sockaddr_storage *value)
{
    put(out, name, value, false);
}
