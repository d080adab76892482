/* What fuzz.c uses: repeatable random numbers, memory with guards, descriptors of many kinds. */
#ifndef FUZZ_H
#define FUZZ_H

#include "check.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

enum {
    FDS = 20,
    FENCES = 6,
    THREADS = 4,
    /* More than the largest size that the library accepts. */
    ROOM = 68 * 1024,
    ARRAY = 24,
    /* Address ids are bytes, and the kernel counts subflows in a byte too. An array of elements up
     * to this size always has room for that many, whatever room the call states. */
    MOST = 257,
    SMALL = 512,
    GUARD = 64,
    MARK = 0xa5,
};

/* The state of one thread. */
struct world {
    uint64_t state, rounds;
    /* How often random arguments happened to be right. */
    uint64_t opened, announcements;
    int addresses_max;
    time_t until;
    int fds[FDS];
    uint32_t token;
    /* The page after each is inaccessible. */
    unsigned char *fences[FENCES];
    /* The output buffer: `reach` bytes from `at`, with guards on both sides. */
    unsigned char *arena, *at;
    size_t reach;
    struct subflows_connecting *connecting;
    struct subflows_opening *opening;
    struct subflows_announced *announced;
    struct subflows_events *events;
    struct subflows_connections *connections;
    struct subflows_capabilities *capabilities;
};

static inline uint64_t next(struct world *w) {
    w->state ^= w->state >> 12;
    w->state ^= w->state << 25;
    w->state ^= w->state >> 27;
    return w->state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline uint64_t below(struct world *w, uint64_t limit) { return (next(w) >> 32) % limit; }

static inline bool is_over(struct world *w) { return w->rounds % 16 == 0 && time(NULL) >= w->until; }

static inline void make_room(struct world *w) {
    for (int i = 0; i < FENCES; i++) {
        unsigned char *begin = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(begin != MAP_FAILED);
        w->fences[i] = begin + ROOM;
        CHECK(mprotect(w->fences[i], 4096, PROT_NONE) == 0);
    }
    static_assert(ROOM * ARRAY >= SMALL * MOST, "room for both");
    w->arena = malloc((size_t)ROOM * ARRAY + 2 * GUARD + 8);
    CHECK(w->arena);
}

static inline void give_room_back(struct world *w) {
    for (int i = 0; i < FENCES; i++)
        munmap(w->fences[i] - ROOM, ROOM + 4096);
    free(w->arena);
}

/* Memory whose last byte is the last readable one. */
static inline void *fenced(struct world *w, int fence, size_t size) {
    CHECK(size <= ROOM);
    return w->fences[fence] - size;
}

static inline void noise(struct world *w, void *out, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)(next(w) >> 40);
}

/* Zeros, zeros with a few random bytes, or random bytes only. */
static inline void scramble(struct world *w, void *options, size_t size) {
    memset(options, 0, size);
    switch (below(w, 4)) {
    case 0:
        noise(w, options, size);
        break;
    case 1:
        ((unsigned char *)options)[below(w, size)] = (unsigned char)next(w);
        break;
    case 2:
        ((unsigned char *)options)[below(w, size)] = 1;
    }
}

static inline size_t a_size(struct world *w, size_t known) {
    const size_t sizes[] = {0,         1,         7,     8,          9,        known / 2,
                            known - 8, known - 1, known, known + 1,  known + 8, 4096,
                            65536,     65537,     65544, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX};
    return below(w, 3) ? known : sizes[below(w, sizeof sizes / sizeof *sizes)];
}

/*
 * Options of a random size, which is 0 or at least `least`. The memory ends at ROOM: the library
 * must not read further for a size that it rejects.
 */
static inline const void *an_options(struct world *w, const void *options, size_t known,
                                     size_t *size, size_t least) {
    do
        *size = a_size(w, known);
    while (*size > 0 && *size < least);
    if (below(w, 8) == 0)
        return NULL;
    size_t real = *size < ROOM ? *size : ROOM;
    unsigned char *given = fenced(w, 0, real);
    memset(given, 0, real);
    memcpy(given, options, real < known ? real : known);
    if (real > known && below(w, 2))
        given[known + below(w, real - known)] = 1;
    return given;
}

/* An output buffer filled with marks, at any alignment. */
static inline void *out_of(struct world *w, size_t reach) {
    w->at = w->arena + GUARD + below(w, 8);
    w->reach = reach;
    memset(w->at - GUARD, MARK, reach + 2 * GUARD);
    return w->at;
}

static inline void *an_out(struct world *w, size_t known, size_t *size) {
    *size = a_size(w, known);
    void *out = out_of(w, *size < ROOM ? *size : ROOM);
    return below(w, 16) ? out : NULL;
}

/* An array with a stated room. If that is larger than the array, the array holds as many elements
 * as can exist. */
static inline void *an_array(struct world *w, size_t known, size_t *size, size_t *room) {
    const size_t rooms[] = {0, 1, 2, 3, ARRAY, SIZE_MAX / 2, SIZE_MAX};
    *size = a_size(w, known);
    *room = rooms[below(w, sizeof rooms / sizeof *rooms)];
    if (*room > ARRAY && *size > SMALL && *size <= 65536)
        *room = ARRAY;
    size_t elements = *room > ARRAY ? (*size <= SMALL ? MOST : 0) : *room;
    void *out = out_of(w, elements * (*size < ROOM ? *size : ROOM));
    return below(w, 16) ? out : NULL;
}

/* Checks that nothing was written before the buffer or after its first bytes. */
static inline void is_marked(struct world *w, size_t written) {
    for (unsigned char *byte = w->at - GUARD; byte < w->at; byte++)
        CHECK(*byte == MARK);
    for (unsigned char *byte = w->at + written; byte < w->at + w->reach + GUARD; byte++)
        CHECK(*byte == MARK);
}

static inline void filled(struct world *w, bool is_filled, size_t size) {
    is_marked(w, is_filled ? size : 0);
}

/*
 * Checks that an error is one that the header names, and not a bug in the library. The remedy for an argument
 * names what to pass: it is not the one of the kind, which serves when nothing more is known.
 */
static inline int told(struct world *w, int result) {
    (void)w;
    CHECK(result != -SUBFLOWS_E_PANIC);
    CHECK(result >= 0 || strcmp(subflows_error_name(result), "Unknown") != 0);
    if (result == -SUBFLOWS_E_INVALID_ARGUMENT) {
        struct subflows_error error;
        CHECK(subflows_last_error(&error, sizeof error) == 0);
        CHECK(strncmp(error.remedy, "See the documentation", 21) != 0);
    }
    return result;
}

static inline void filled_array(struct world *w, int count, size_t room, size_t size) {
    CHECK(told(w, count) <= MOST);
    size_t full = count < 0 ? 0 : (size_t)count < room ? (size_t)count : room;
    is_marked(w, full ? full * size : 0);
}

static inline void close_fds(struct world *w) {
    for (int i = 0; i < FDS; i++) {
        if (w->fds[i] >= 0)
            close(w->fds[i]);
        w->fds[i] = -1;
    }
}

/* Everything that is not a connection of this test, after the first descriptor. */
static inline void other_kinds(int *fds, int family, const struct sockaddr *to) {
    int count = 1;
    fds[count++] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    fds[count++] = subflows_connect("127.0.0.1", "1", NULL, 0);
    fds[count++] = subflows_listen(NULL, "0", NULL, 0);
    fds[count++] = subflows_socket(family);
    fds[count++] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fds[count] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fds[count++], to, length_of((const struct sockaddr_storage *)to)) == 0);
    fds[count++] = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fds[count++] = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + count) == 0);
    CHECK(pipe2(fds + count + 2, O_CLOEXEC) == 0);
    count += 4;
    fds[count++] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fds[count++] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    fds[count++] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    fds[count++] = epoll_create1(EPOLL_CLOEXEC);
    fds[count++] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    fds[count++] = open("/proc", O_PATH | O_CLOEXEC);
    fds[count++] = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(count == FDS);
}

struct open_fds {
    int netlink, bpf, others;
};

static inline struct open_fds open_fds(void) {
    DIR *folder = opendir("/proc/self/fd");
    struct open_fds count = {0};
    struct dirent *entry;
    CHECK(folder);
    while ((entry = readdir(folder))) {
        int family = 0;
        socklen_t size = sizeof family;
        int fd = atoi(entry->d_name);
        char target[32] = "";
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) > 0 &&
            strncmp(target, "anon_inode:bpf", 14) == 0)
            count.bpf++;
        else if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_NETLINK)
            count.netlink++;
        else
            count.others++;
    }
    closedir(folder);
    return count;
}

/* The library keeps at most two idle netlink sockets of each of three kinds and one for events, and two BPF programs
 * with a map. */
enum { NETLINK_MAX = 7, BPF_MAX = 4 };

/* Runs several threads; afterwards no descriptor may be left open, apart from the kept ones. */
static inline int in_threads(uint64_t seed, uint64_t seconds, void *(*calls)(void *)) {
    static struct world worlds[THREADS];
    pthread_t threads[THREADS];
    uint64_t rounds = 0, opened = 0, announcements = 0;
    int addresses_max = 0;
    struct open_fds before = open_fds(), after;
    for (int i = 0; i < THREADS; i++) {
        worlds[i].state = (seed * THREADS + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        worlds[i].until = time(NULL) + (time_t)seconds;
        memset(worlds[i].fds, 0xff, sizeof worlds[i].fds);
        CHECK(pthread_create(&threads[i], NULL, calls, &worlds[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        rounds += worlds[i].rounds;
        opened += worlds[i].opened;
        announcements += worlds[i].announcements;
        if (worlds[i].addresses_max > addresses_max)
            addresses_max = worlds[i].addresses_max;
    }
    after = open_fds();
    CHECK(after.others == before.others && after.netlink <= NETLINK_MAX + before.netlink);
    CHECK(after.bpf <= BPF_MAX);
    /* If no call ever succeeds, the run tests little. */
    CHECK(opened > 0 && announcements > 0);
    printf("seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " subflows, %" PRIu64
           " announcements, %d addresses at once\n",
           seed, rounds, opened, announcements, addresses_max);
    return 0;
}

#endif
