/* Requests: reads the verb and the values of the key=value words. */
#include "driver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* Decodes %XX in place; false if the digits are not hexadecimal, or for %00, which would end the
 * text. */
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
            return fault_not_offered(driver, "a text that contains a zero byte");
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

/* As number(), but 0 if the key is missing. */
int maybe_number(struct driver *driver, const char *key, uint64_t max, uint64_t *value)
{
    *value = 0;
    return maybe_text(driver, key) == NULL ? 0 : number(driver, key, max, value);
}

/* 0 if the key is missing. In C a timeout of 0 is the default, so it cannot be asked for. */
int milliseconds(struct driver *driver, const char *key, uint32_t *value)
{
    uint64_t given;
    if (maybe_number(driver, key, UINT32_MAX, &given) < 0)
        return -1;
    *value = (uint32_t)given;
    bool is_zero = maybe_text(driver, key) != NULL && given == 0;
    return is_zero ? fault_not_offered(driver, "a timeout of 0") : 0;
}

/* False if the key is missing. */
int flag(struct driver *driver, const char *key, bool *value)
{
    const char *word = maybe_text(driver, key);
    *value = word != NULL && strcmp(word, "true") == 0;
    bool is_known = word == NULL || *value || strcmp(word, "false") == 0;
    return is_known ? 0 : fault_protocol(driver, key);
}

/* Reads 10.0.0.1, 10.0.0.1:80, 2001:db8::1 or [2001:db8::1]:80. */
int find_address(struct driver *driver, const char *key, struct sockaddr_storage *value,
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

/* Reads an address into `room` and points `value` at it; leaves both as they are if the key is
 * missing. */
int maybe_address(struct driver *driver, const char *key, struct sockaddr_storage *room,
                  const struct sockaddr **value, socklen_t *length)
{
    if (maybe_text(driver, key) == NULL)
        return 0;
    *value = (const struct sockaddr *)room;
    return find_address(driver, key, room, length);
}
