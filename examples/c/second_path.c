/*
 * A download that opens a second path after 1 MiB and survives the loss of its first, which it
 * closes when it receives no more data over it. Prints a checksum of the data.
 *
 *   cc -std=c11 second_path.c -o second_path $(pkg-config --cflags --libs subflows)
 *   ./second_path HOST PORT INTERFACE
 *
 * Requires CAP_NET_ADMIN, a second interface with a route to the server, and a server that speaks
 * Multipath TCP, sends as soon as it is connected, and closes. Pull the first cable during it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <subflows.h>
#include <unistd.h>

enum { LOOK_EVERY = 1 << 20, SILENT_MS = 500 };

/* Prints what failed last, and what to do about it. */
static int print_error(void)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s\n%s\n", error.message, error.remedy);
    return EXIT_FAILURE;
}

static void print_path(const char *what, const struct subflows_subflow *path)
{
    printf("%s path %" PRIu32 ", round trip %" PRIu32 " us\n", what, path->id, path->rtt_us);
    fflush(stdout);
}

/* The kernel resends lost data over the other path, but tries the first until it is closed. */
static void close_first_when_silent(int fd)
{
    struct subflows_subflow paths[2]; /* In the order in which they were opened. */
    int count = subflows_list(fd, paths, 2, sizeof paths[0]);
    if (count < 0)
        print_error();
    if (count < 2 || paths[0].last_data_received_ms < SILENT_MS ||
        paths[1].last_data_received_ms >= SILENT_MS)
        return;
    if (subflows_close(fd, paths[0].id) < 0)
        print_error();
    else
        print_path("dropped", &paths[0]);
}

static int download(int fd, const char *interface)
{
    static unsigned char buffer[64 * 1024];
    uint64_t received = 0, checksum = 0, next_look = LOOK_EVERY;
    bool has_second = false;
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < length; i++)
            checksum = (checksum << 5 | checksum >> 59) + buffer[i];
        received += (uint64_t)length;
        if (received < next_look)
            continue;
        next_look = received + LOOK_EVERY;
        if (has_second) {
            close_first_when_silent(fd);
            continue;
        }
        struct subflows_open_options options = { .interface = interface };
        struct subflows_subflow second;
        if (subflows_open(fd, &options, sizeof options, &second, sizeof second) < 0) {
            print_error(); /* The download goes on over the first path, and tries again later. */
            continue;
        }
        has_second = true;
        print_path("opened", &second);
    }
    if (length < 0) {
        perror("read");
        return EXIT_FAILURE;
    }
    printf("%" PRIu64 " bytes, checksum %016" PRIx64 "\n", received, checksum);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: %s HOST PORT INTERFACE\n", arguments[0]);
        return EXIT_FAILURE;
    }
    struct subflows_connect_options options = { .control = true };
    int fd = subflows_connect(arguments[1], arguments[2], &options, sizeof options);
    if (fd < 0)
        return print_error();
    int result = download(fd, arguments[3]);
    close(fd);
    return result;
}
