/* The driver in C: see tests/conform/PROTOCOL.md. One file for each part; no state but this. */
#ifndef DRIVER_H
#define DRIVER_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <subflows.h>

enum { WORDS_MAX = 16, THINGS_MAX = 256, NAME_MAX_LENGTH = 64 };

/* What was asked: a verb, then key=value words. The texts are those of the line. */
struct request {
    char *verb;
    struct {
        char *key, *value;
    } words[WORDS_MAX];
    int count;
};

/* What went wrong last. */
struct fault {
    char kind[48];
    int number;
    char remedy[512];
};

enum kind { FREE, SOCKET, POURED, DRAINED, ANNOUNCED, EVENTS };

/* Something that the runner has given a name. */
struct thing {
    enum kind kind;
    char name[NAME_MAX_LENGTH];
    int fd;
    void *handle;
};

struct driver {
    struct request request;
    struct fault fault;
    struct thing things[THINGS_MAX];
};

/* A verb does what the request says and writes what it found out; 0, or -1 with a fault. */
struct verb {
    const char *name;
    int (*perform)(struct driver *driver, FILE *out);
};

extern const struct verb own_verbs[];
extern const struct verb library_verbs[];

/* words.c */
int parse(struct driver *driver, char *line);
const char *maybe_text(const struct driver *driver, const char *key);
const char *text(struct driver *driver, const char *key);
int number(struct driver *driver, const char *key, uint64_t max, uint64_t *value);
int maybe_number(struct driver *driver, const char *key, uint64_t max, uint64_t *value);
int is(struct driver *driver, const char *key, bool *value);
int address(struct driver *driver, const char *key, struct sockaddr_storage *value,
            socklen_t *length);
int fault(struct driver *driver, const char *kind, int number, const char *remedy);
int fault_protocol(struct driver *driver, const char *what);
int fault_not_offered(struct driver *driver, const char *what);
int fault_errno(struct driver *driver);
int fault_library(struct driver *driver);
void put_text(FILE *out, const char *name, const char *value);
void put_number(FILE *out, const char *name, uint64_t value);
void put_address(FILE *out, const char *name, const struct sockaddr_storage *value);
void put_ip(FILE *out, const char *name, const struct sockaddr_storage *value);

/* record.c: the members of the library's structs by their names, what is absent left out. */
void put_status(FILE *out, const struct subflows_status *record);
void put_info(FILE *out, const struct subflows_info *record);
void put_subflow(FILE *out, const char *before, const struct subflows_subflow *record);
void put_details(FILE *out, const char *before, const struct subflows_details *record);
void put_address_record(FILE *out, const char *before, const struct subflows_address *record);
void put_event(FILE *out, const struct subflows_event *record);
void put_connection(FILE *out, const char *before, const struct subflows_connection *record);
void put_capability(FILE *out, const char *before, const struct subflows_capability *record);

/* own.c: sockets by the system's own means, and everything else that has a name. */
struct thing *find(struct driver *driver, enum kind kind, const char *key);
int keep(struct driver *driver, enum kind kind, const char *name, int fd, void *handle);
int keep_socket(struct driver *driver, int fd, FILE *out);
int sock(struct driver *driver);
void forget(struct thing *thing);

/* flow.c */
struct flow;
struct carried {
    uint64_t bytes;
    uint32_t crc32;
};
int wait_for(int fd, short events);
int pour(int fd, uint64_t wanted, atomic_bool *is_ending, struct carried *carried);
int drain(int fd, uint64_t wanted, struct carried *carried);
struct flow *flow_start(int fd, bool is_pouring);
int flow_end(struct flow *flow, struct carried *carried);

#endif
