/*
 * Says whether a server, and everything on the way to it, speaks Multipath TCP; where not, what
 * can be done about it.
 *
 *   cc -std=c11 fallback.c -o fallback $(pkg-config --cflags --libs subflows)
 *   ./fallback HOST PORT
 *
 * Needs no privilege, and a server that sends something.
 */
#include <stdio.h>
#include <stdlib.h>
#include <subflows.h>
#include <unistd.h>

/* Says what failed last, and what to do about it. */
static int complain(void)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s\n%s\n", error.message, error.remedy);
    return EXIT_FAILURE;
}

/* Each "no" of this kernel and this process, with its cause and a remedy. */
static void print_lacks(void)
{
    struct subflows_capabilities *capabilities;
    struct subflows_capability lack;
    if (subflows_capabilities(&capabilities) < 0) {
        complain();
        return;
    }
    while (subflows_capabilities_next(capabilities, &lack, sizeof lack) > 0)
        if (!lack.is_available)
            printf("  cannot %s: %s. %s\n", lack.purpose, lack.cause, lack.remedy);
    subflows_capabilities_close(capabilities);
}

static void report(const char *when, int fd)
{
    struct subflows_status status;
    if (subflows_status(fd, &status, sizeof status) < 0) {
        complain();
        return;
    }
    printf("%s: %s\n", when, subflows_state_name(status.state));
    switch (status.state) {
    case SUBFLOWS_STATE_MPTCP:
        puts(status.is_ready ? "  Further paths can be opened now."
                             : "  Further paths can be opened after the first byte.");
        break;
    case SUBFLOWS_STATE_FELL_BACK:
        puts("  Plain TCP, one path: the server or a middlebox does not speak Multipath TCP.\n"
             "  On the server: sysctl net.mptcp.enabled, and a server program that asks for it\n"
             "  (mptcpize run PROGRAM). If both are there, try by another network.");
        break;
    case SUBFLOWS_STATE_TCP:
        puts("  Plain TCP, one path: this side does not speak Multipath TCP.");
        print_lacks();
        break;
    default:
        puts("  The connection is over. Connect again.");
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
        return complain();
    report("after the handshake", fd);

    /* Some middleboxes strip the options of data segments only: ask again. */
    char byte;
    if (read(fd, &byte, 1) == 1)
        report("after the first byte", fd);
    else
        perror("read");
    close(fd);
    return EXIT_SUCCESS;
}
