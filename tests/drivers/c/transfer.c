/* Sends and receives data, also in the background while the driver answers other requests. */
#include "driver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* The size of the block that is sent repeatedly: prime, so that misplaced data changes the
 * checksum. PATIENCE_MS is the longest wait for progress. */
enum { BLOCK = 65521, PATIENCE_MS = 15000 };

struct checksum {
    uint32_t table[256];
    uint32_t state;
};

struct transfer {
    pthread_t thread;
    int fd;
    bool is_sending;
    atomic_bool is_ending;
    struct transferred transferred;
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

/* Sends `wanted` bytes, or fewer if `is_ending` becomes true; 0, or -1 with errno. */
int send_bytes(int fd, uint64_t wanted, atomic_bool *is_ending, struct transferred *transferred)
{
    struct checksum sum;
    checksum_start(&sum);
    *transferred = (struct transferred){ 0 };
    unsigned char *block = malloc(BLOCK);
    for (unsigned place = 0; block != NULL && place < BLOCK; place++)
        block[place] = (unsigned char)(place * 7 + (place >> 8));
    int result = block == NULL ? -1 : 0;
    while (result == 0 && transferred->bytes < wanted && !atomic_load(is_ending)) {
        const unsigned char *rest = block + transferred->bytes % BLOCK;
        size_t length = smaller(wanted - transferred->bytes, BLOCK - transferred->bytes % BLOCK);
        ssize_t sent = send(fd, rest, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            checksum_add(&sum, rest, (size_t)sent);
            transferred->bytes += (uint64_t)sent;
        } else {
            result = errno == EAGAIN ? wait_for(fd, POLLOUT) : -1;
        }
    }
    transferred->crc32 = ~sum.state;
    free(block);
    return result;
}

/* Receives `wanted` bytes, or fewer if the stream ends; 0, or -1 with errno. */
int receive_bytes(int fd, uint64_t wanted, struct transferred *transferred)
{
    struct checksum sum;
    checksum_start(&sum);
    *transferred = (struct transferred){ 0 };
    unsigned char *chunk = malloc(BLOCK);
    int result = chunk == NULL ? -1 : 0;
    while (result == 0 && transferred->bytes < wanted) {
        size_t room = smaller(wanted - transferred->bytes, BLOCK);
        ssize_t received = recv(fd, chunk, room, MSG_DONTWAIT);
        if (received == 0)
            break;
        if (received > 0) {
            checksum_add(&sum, chunk, (size_t)received);
            transferred->bytes += (uint64_t)received;
        } else {
            result = errno == EAGAIN ? wait_for(fd, POLLIN) : -1;
        }
    }
    transferred->crc32 = ~sum.state;
    free(chunk);
    return result;
}

static void *run(void *argument)
{
    struct transfer *transfer = argument;
    struct transferred *transferred = &transfer->transferred;
    int result = transfer->is_sending
                     ? send_bytes(transfer->fd, UINT64_MAX, &transfer->is_ending, transferred)
                     : receive_bytes(transfer->fd, UINT64_MAX, transferred);
    transfer->problem = result < 0 ? errno : 0;
    return NULL;
}

/* Starts a transfer that owns the descriptor from now on. NULL with errno. */
struct transfer *transfer_start(int fd, bool is_sending)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL || fd < 0) {
        free(transfer);
        return NULL;
    }
    transfer->fd = fd;
    transfer->is_sending = is_sending;
    errno = pthread_create(&transfer->thread, NULL, run, transfer);
    if (errno == 0)
        return transfer;
    close(fd);
    free(transfer);
    return NULL;
}

/* Stops sending, waits for the thread, and frees the transfer; 0, or -1 with errno. */
int transfer_end(struct transfer *transfer, struct transferred *transferred)
{
    atomic_store(&transfer->is_ending, true);
    pthread_join(transfer->thread, NULL);
    *transferred = transfer->transferred;
    int problem = transfer->problem;
    close(transfer->fd);
    free(transfer);
    errno = problem;
    return problem == 0 ? 0 : -1;
}
