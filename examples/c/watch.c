/*
 * A server that reports what happens to the paths of its clients, in one epoll loop: the listener,
 * the connections and their events. It discards the data of the clients.
 *
 *   cc -std=c11 watch.c -o watch $(pkg-config --cflags --libs subflows)
 *   ./watch ADDRESS PORT CLIENTS
 *
 * Ends after CLIENTS clients. Requires CAP_NET_ADMIN, for the events.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <subflows.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
    int fd;
    struct subflows_events *events; /* NULL if the client uses plain TCP. */
};

/* Prints what failed last, and what to do about it. */
static int print_error(void)
{
    struct subflows_error error;
    subflows_last_error(&error, sizeof error);
    fprintf(stderr, "%s\n%s\n", error.message, error.remedy);
    return EXIT_FAILURE;
}

static void watch(int epoll, int fd, struct client *client)
{
    struct epoll_event readable = { .events = EPOLLIN, .data.ptr = client };
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable);
}

static void greet(int epoll, int listener)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL || (client->fd = accept(listener, NULL, NULL)) < 0) {
        free(client);
        return;
    }
    int result = subflows_events(client->fd, &client->events);
    if (result == 0)
        watch(epoll, subflows_events_fd(client->events), client);
    else if (result != -SUBFLOWS_E_NOT_MPTCP)
        print_error();
    printf("client %d: %s\n", client->fd, result == 0 ? "accepted" : "one path only");
    watch(epoll, client->fd, client);
}

/* Prints the events and discards the data. Returns false if the client has closed. */
static bool serve(const struct client *client)
{
    struct subflows_event event;
    int taken = 0;
    while (client->events != NULL &&
           (taken = subflows_events_next(client->events, &event, sizeof event, 0)) > 0)
        printf("client %d: %s\n", client->fd, subflows_event_kind_name(event.kind));
    if (taken < 0)
        print_error();
    char buffer[4096];
    ssize_t length = recv(client->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    return length > 0 || (length < 0 && errno == EAGAIN);
}

static void dismiss(struct client *client)
{
    printf("client %d: gone\n", client->fd);
    subflows_events_close(client->events);
    close(client->fd);
    free(client);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        fprintf(stderr, "usage: %s ADDRESS PORT CLIENTS\n", arguments[0]);
        return EXIT_FAILURE;
    }
    int listener = subflows_listen(arguments[1], arguments[2], NULL, 0);
    if (listener < 0)
        return print_error();
    setvbuf(stdout, NULL, _IOLBF, 0); /* Print each line at once, also to a pipe. */
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener, NULL);

    struct epoll_event ready; /* One at a time, so that it is not that of a freed client. */
    for (int rest = atoi(arguments[3]); rest > 0 && epoll_wait(epoll, &ready, 1, -1) == 1;) {
        if (ready.data.ptr == NULL) {
            greet(epoll, listener);
        } else if (!serve(ready.data.ptr)) {
            dismiss(ready.data.ptr);
            rest--;
        }
    }
    return EXIT_SUCCESS;
}
