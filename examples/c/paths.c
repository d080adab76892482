/*
 * A download over two paths, which prints what each of them carried.
 *
 *   cc -std=c11 paths.c -o paths $(pkg-config --cflags --libs subflows)
 *   ./paths HOST PORT INTERFACE
 *
 * Requires CAP_NET_ADMIN, a second interface with a route to the server, and a server that speaks
 * Multipath TCP, sends as soon as it is connected, and closes.
 */
#define _DEFAULT_SOURCE /* For getnameinfo() under -std=c11. */

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <subflows.h>
#include <unistd.h>

enum { PATHS_MAX = 8 };

/* Prints what failed last, and what to do about it. */
static int print_error(void)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s\n%s\n", error.message, error.remedy);
    return EXIT_FAILURE;
}

static const char *host(const struct sockaddr_storage *address, char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr *generic = (const struct sockaddr *)address;
    int problem = getnameinfo(generic, sizeof *address, text, INET6_ADDRSTRLEN, NULL, 0,
                              NI_NUMERICHOST);
    return problem == 0 ? text : "?";
}

static int print_paths(int fd)
{
    struct subflows_subflow paths[PATHS_MAX];
    int count = subflows_list(fd, paths, PATHS_MAX, sizeof paths[0]);
    if (count < 0)
        return count;
    printf("%d paths\n", count);
    for (int i = 0; i < count && i < PATHS_MAX; i++) {
        char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
        printf("%u: %s -> %s, %u us, %llu bytes\n", (unsigned)paths[i].id,
               host(&paths[i].local, local), host(&paths[i].remote, remote),
               (unsigned)paths[i].rtt_us, (unsigned long long)paths[i].bytes_received);
    }
    return 0;
}

static int download(int fd, const char *interface)
{
    static char buffer[64 * 1024];
    /* A connection accepts further subflows as soon as its first byte has arrived. */
    ssize_t length = read(fd, buffer, sizeof buffer);

    struct subflows_open_options second = { .interface = interface };
    if (length > 0 && subflows_open(fd, &second, sizeof second, NULL, 0) < 0)
        print_error(); /* The download goes on over the first path. */

    unsigned long long received = 0;
    while (length > 0) {
        received += (unsigned long long)length;
        length = read(fd, buffer, sizeof buffer);
    }
    if (length < 0) {
        perror("read");
        return -1;
    }
    printf("%llu bytes\n", received);
    int result = print_paths(fd);
    if (result < 0)
        print_error();
    return result;
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: %s HOST PORT INTERFACE\n", arguments[0]);
        return EXIT_FAILURE;
    }
    /* Control: this program, not the kernel, decides about the paths of the connection. */
    struct subflows_connect_options options = { .control = true };
    int fd = subflows_connect(arguments[1], arguments[2], &options, sizeof options);
    if (fd < 0)
        return print_error();
    int result = download(fd, arguments[3]);
    close(fd);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
