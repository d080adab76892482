/*
 * Reports whether the server, and every host on the path to it, supports Multipath TCP, and what to
 * do if not.
 *
 *   cc -std=c11 fallback.c -o fallback $(pkg-config --cflags --libs subflows)
 *   ./fallback HOST PORT
 *
 * Requires no privilege. The server must send at least one byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <subflows.h>
#include <unistd.h>

/* Prints what failed last, and what to do about it. */
static int print_error(void)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s\n%s\n", error.message, error.remedy);
    return EXIT_FAILURE;
}

/* Each capability that is missing here, with its cause and a remedy. */
static void print_missing(void)
{
    struct subflows_capabilities *capabilities;
    struct subflows_capability capability;
    if (subflows_capabilities(&capabilities) < 0) {
        print_error();
        return;
    }
    while (subflows_capabilities_next(capabilities, &capability, sizeof capability) > 0)
        if (!capability.is_available)
            printf("  cannot %s: %s. %s\n", capability.purpose, capability.cause,
                   capability.remedy);
    subflows_capabilities_close(capabilities);
}

static void report(const char *when, int fd)
{
    struct subflows_status status;
    if (subflows_status(fd, &status, sizeof status) < 0) {
        print_error();
        return;
    }
    printf("%s: %s\n", when, subflows_state_name(status.state));
    switch (status.state) {
    case SUBFLOWS_STATE_MPTCP:
        puts(status.is_ready ? "  Further paths can be opened now."
                             : "  Further paths can be opened after the first byte.");
        break;
    case SUBFLOWS_STATE_FELL_BACK:
        puts("  Plain TCP, one path: the server or a middlebox does not support Multipath TCP.\n"
             "  On the server, set sysctl net.mptcp.enabled=1 and start the program with\n"
             "  mptcpize run PROGRAM. If that does not help, try another network.");
        break;
    case SUBFLOWS_STATE_TCP:
        puts("  Plain TCP, one path: this host does not support Multipath TCP.");
        print_missing();
        break;
    default:
        puts("  The connection has ended. Connect again.");
    }
    fflush(stdout);
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", arguments[0]);
        return EXIT_FAILURE;
    }
    struct subflows_connect_options options = { .timeout_ms = 10000 };
    int fd = subflows_connect(arguments[1], arguments[2], &options, sizeof options);
    if (fd < 0)
        return print_error();
    report("after the handshake", fd);

    /* Some middleboxes strip the options of data segments only: check again. */
    char byte;
    if (read(fd, &byte, 1) == 1)
        report("after the first byte", fd);
    else
        perror("read");
    close(fd);
    return EXIT_SUCCESS;
}
