/* Does recv(MSG_PEEK | MSG_WAITALL) on a Multipath TCP socket return the bytes that are there?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: it does; 1: it returns others; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program, over one subflow. The server
 * waits in recv(MSG_PEEK | MSG_WAITALL) while the client sends the data in several pieces. The server
 * runs on the client's processor and under SCHED_IDLE, so that pieces which the client sends without
 * a rest are all queued before the server goes on. The program tries three ways of sending:
 *
 * - `whole`: one piece, before the server peeks;
 * - `waited`: two pieces, with a rest between them;
 * - `merged`: a piece, a rest, then a short piece, which the kernel appends to the buffer that the
 *   server has peeked at, and at once a long one, which gets a buffer of its own; with three choices of the lengths.
 *
 * A peek that gets too little would wait forever, so the socket has a timeout of 2 seconds. */
#include "../common.h"
#include <signal.h>

enum { MOST = 40000 };

static int client, server, length, got;
static const char *way;
static unsigned char data[MOST], peeked[MOST], received[MOST];

static void never_returned(int signal) {
    dprintf(1, "wrong: the peek of `%s` does not return, in spite of SO_RCVTIMEO\n", way);
    _exit(signal == SIGALRM);
}

static void *peek(void *unused) {
    struct sched_param priority = { 0 };
    check(!sched_setscheduler(0, SCHED_IDLE, &priority), "sched_setscheduler");
    timeout(server, 2);
    got = recv(server, peeked, length, MSG_PEEK | MSG_WAITALL);
    check(got > 0, "peek");
    return unused;
}

/* Sends the pieces, peeks them all, and reads them. Returns how many bytes were peeked right. */
static int peeked_right(const char *name, const int *pieces, int count) {
    struct sockaddr_in address = ipv4("127.0.0.1");
    pthread_t thread;
    int listener = listen_on(IPPROTO_MPTCP, &address), right = 0;
    client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_to(client, &address);
    server = accept_one(listener);
    /* The kernel merges buffers up to an eighth of this, doubled: 16384 bytes. */
    int most = 65536;
    check(!setsockopt(server, SOL_SOCKET, SO_RCVBUF, &most, sizeof most), "SO_RCVBUF");
    pass_byte(client, server);
    way = name;
    length = 0;
    for (int i = 0; i < count; i++) length += pieces[i];
    const unsigned char *from = data;
    if (count > 1) {
        check(!pthread_create(&thread, NULL, peek, NULL), "pthread_create");
        rest(200);
    }
    for (int i = 0; i < count; from += pieces[i++]) {
        check(write(client, from, pieces[i]) == pieces[i], "write");
        if (i == 0) rest(200); /* the server peeks at the first piece, and the client gets its ACK */
    }
    if (count == 1) check(!pthread_create(&thread, NULL, peek, NULL), "pthread_create");
    check(!pthread_join(thread, NULL), "pthread_join");
    check(recv(server, received, length, MSG_WAITALL) == length && !memcmp(received, data, length), "read");
    while (right < got && peeked[right] == data[right]) right++;
    close_all(client, server, listener);
    return right;
}

int main(void) {
    cpu_set_t one;
    int whole[] = { 15000 }, waited[] = { 10000, 20000 };
    int merged[][3] = { { 1000, 1000, 20000 }, { 5000, 1000, 20000 }, { 1000, 5000, 20000 } };
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    check(!sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
    new_namespace();
    run("ip link set lo up");
    for (int i = 0; i < MOST; i++) data[i] = (i * 2654435761u) >> 13;
    signal(SIGALRM, never_returned);
    alarm(30);
    int a = peeked_right("whole", whole, 1);
    int b = peeked_right("waited", waited, 2);
    int c = 0, all = 0;
    for (int i = 0; i < 3 && c == all; i++) {
        c = peeked_right("merged", merged[i], 3);
        all = length;
    }
    int is_right = a == 15000 && b == 30000 && c == all;
    printf("%s: bytes peeked right, of all: whole %d of 15000, waited %d of 30000, merged %d of %d (%d returned)\n",
           is_right ? "right" : "wrong", a, b, c, all, got);
    return !is_right;
}
