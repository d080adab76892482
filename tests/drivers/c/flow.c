/* Data, also such that go on in the background while the runner asks for other things. */
#include "driver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* What is sent, again and again: a prime number of bytes, so that nothing that went astray fits.
 * Nothing waits longer than PATIENCE_MS for progress. */
enum { BLOCK = 65521, PATIENCE_MS = 15000 };

struct checksum {
    uint32_t table[256];
    uint32_t state;
};

struct flow {
    pthread_t thread;
    int fd;
    bool is_pouring;
    atomic_bool is_ending;
    struct carried carried;
    int problem;
};

/* The CRC-32 of Ethernet and zlib. */
static void checksum_start(struct checksum *sum)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
        sum->table[byte] = value;
    }
    sum->state = UINT32_MAX;
}

static void checksum_add(struct checksum *sum, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum->state = sum->table[(sum->state ^ bytes[i]) & 0xff] ^ sum->state >> 8;
}

/* 0, or -1 with errno. */
int wait_for(int fd, short events)
{
    struct pollfd entry = { .fd = fd, .events = events };
    int ready = poll(&entry, 1, PATIENCE_MS);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0 ? 0 : -1;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Sends so much, or until it is told to end; 0, or -1 with errno. */
int pour(int fd, uint64_t wanted, atomic_bool *is_ending, struct carried *carried)
{
    struct checksum sum;
    checksum_start(&sum);
    *carried = (struct carried){ 0 };
    unsigned char *block = malloc(BLOCK);
    for (unsigned place = 0; block != NULL && place < BLOCK; place++)
        block[place] = (unsigned char)(place * 7 + (place >> 8));
    int result = block == NULL ? -1 : 0;
    while (result == 0 && carried->bytes < wanted && !atomic_load(is_ending)) {
        const unsigned char *rest = block + carried->bytes % BLOCK;
        size_t length = smaller(wanted - carried->bytes, BLOCK - carried->bytes % BLOCK);
        ssize_t sent = send(fd, rest, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            checksum_add(&sum, rest, (size_t)sent);
            carried->bytes += (uint64_t)sent;
        } else {
            result = errno == EAGAIN ? wait_for(fd, POLLOUT) : -1;
        }
    }
    carried->crc32 = ~sum.state;
    free(block);
    return result;
}

/* Receives so much, or everything; 0, or -1 with errno. */
int drain(int fd, uint64_t wanted, struct carried *carried)
{
    struct checksum sum;
    checksum_start(&sum);
    *carried = (struct carried){ 0 };
    unsigned char *chunk = malloc(BLOCK);
    int result = chunk == NULL ? -1 : 0;
    while (result == 0 && carried->bytes < wanted) {
        size_t room = smaller(wanted - carried->bytes, BLOCK);
        ssize_t received = recv(fd, chunk, room, MSG_DONTWAIT);
        if (received == 0)
            break;
        if (received > 0) {
            checksum_add(&sum, chunk, (size_t)received);
            carried->bytes += (uint64_t)received;
        } else {
            result = errno == EAGAIN ? wait_for(fd, POLLIN) : -1;
        }
    }
    carried->crc32 = ~sum.state;
    free(chunk);
    return result;
}

static void *run(void *argument)
{
    struct flow *flow = argument;
    int result = flow->is_pouring
                     ? pour(flow->fd, UINT64_MAX, &flow->is_ending, &flow->carried)
                     : drain(flow->fd, UINT64_MAX, &flow->carried);
    flow->problem = result < 0 ? errno : 0;
    return NULL;
}

/* Begins one; the descriptor is its own from now on. NULL with errno. */
struct flow *flow_start(int fd, bool is_pouring)
{
    struct flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL || fd < 0) {
        free(flow);
        return NULL;
    }
    flow->fd = fd;
    flow->is_pouring = is_pouring;
    errno = pthread_create(&flow->thread, NULL, run, flow);
    if (errno == 0)
        return flow;
    close(fd);
    free(flow);
    return NULL;
}

/* Tells it to end, waits for it, and frees it; 0, or -1 with errno. */
int flow_end(struct flow *flow, struct carried *carried)
{
    atomic_store(&flow->is_ending, true);
    pthread_join(flow->thread, NULL);
    *carried = flow->carried;
    int problem = flow->problem;
    close(flow->fd);
    free(flow);
    errno = problem;
    return problem == 0 ? 0 : -1;
}
