/* The driver in C: see tests/conform/PROTOCOL.md. All state is in struct driver. */
#ifndef DRIVER_H
#define DRIVER_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <subflows.h>

enum { WORDS_MAX = 16, OBJECTS_MAX = 256, NAME_SIZE = 64, ITEMS_MAX = 512, PREFIX_SIZE = 64 };

/* A request: a verb and key=value words. The texts point into the line. */
struct request {
    char *verb;
    struct {
        char *key, *value;
    } words[WORDS_MAX];
    int count;
};

/* The last error. */
struct fault {
    char kind[48];
    int number;
    char remedy[512];
};

enum kind { FREE, SOCKET, SENDING, RECEIVING, ANNOUNCED, EVENTS };

/* A socket or a handle to which the runner has given a name. */
struct object {
    enum kind kind;
    char name[NAME_SIZE];
    int fd;
    void *handle;
};

struct driver {
    struct request request;
    struct fault fault;
    struct object objects[OBJECTS_MAX];
};

/* Carries a request out and prints the fields of the answer; 0, or -1 with a fault. */
struct verb {
    const char *name;
    int (*perform)(struct driver *driver, FILE *out);
};

/* Each table ends with a verb without a name. */
extern const struct verb plain_verbs[]; /* plain_sockets.c */
extern const struct verb library_verbs[]; /* library.c */
extern const struct verb operations[]; /* operations.c, generated */

/* request.c: read the words of the request; 0, or -1 with a fault. NULL if a text is missing. */
int parse(struct driver *driver, char *line);
const char *maybe_text(const struct driver *driver, const char *key);
const char *text(struct driver *driver, const char *key);
int number(struct driver *driver, const char *key, uint64_t max, uint64_t *value);
int maybe_number(struct driver *driver, const char *key, uint64_t max, uint64_t *value);
int milliseconds(struct driver *driver, const char *key, uint32_t *value);
int flag(struct driver *driver, const char *key, bool *value);
int find_address(struct driver *driver, const char *key, struct sockaddr_storage *value,
                 socklen_t *length);
int maybe_address(struct driver *driver, const char *key, struct sockaddr_storage *room,
                  const struct sockaddr **value, socklen_t *length);

/* answer.c: record a fault and return -1; print a field whose name begins with `prefix`. */
int fault(struct driver *driver, const char *kind, int number, const char *remedy);
int fault_protocol(struct driver *driver, const char *what);
int fault_not_offered(struct driver *driver, const char *what);
int fault_errno(struct driver *driver);
int fault_library(struct driver *driver);
int check(struct driver *driver, int result);
void print_text(FILE *out, const char *prefix, const char *name, const char *value);
void print_number(FILE *out, const char *prefix, const char *name, uint64_t value);
void print_socket_address(FILE *out, const char *prefix, const char *name,
                          const struct sockaddr_storage *value);
void print_ip(FILE *out, const char *prefix, const char *name,
              const struct sockaddr_storage *value);
const char *item_prefix(char room[PREFIX_SIZE], const char *outer, int index);

/* objects.c: sockets and handles by their names. */
struct object *find(struct driver *driver, enum kind kind, const char *key);
struct object *search(struct driver *driver, enum kind kind, const char *name);
int keep(struct driver *driver, enum kind kind, const char *name, int fd, void *handle);
int find_socket(struct driver *driver);
int keep_socket(struct driver *driver, int fd, FILE *out);
bool print_end(FILE *out, const char *name, int fd,
               int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict));
void release(struct object *object);

/* transfer.c: data in one direction, in the foreground or in the background. */
struct transfer;
struct transferred {
    uint64_t bytes;
    uint32_t crc32;
};
int wait_for(int fd, short events);
int send_bytes(int fd, uint64_t wanted, atomic_bool *is_ending, struct transferred *sent);
int receive_bytes(int fd, uint64_t wanted, struct transferred *received);
struct transfer *transfer_start(int fd, bool is_sending);
int transfer_end(struct transfer *transfer, struct transferred *transferred);

#endif
