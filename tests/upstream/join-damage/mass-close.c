/* Does this kernel damage a transfer during which endpoints are added and deleted?
 *
 *     cc -O1 -Wall -pthread mass-close.c -o mass-close && sudo ./mass-close [backup] [seconds]
 *
 * Exit status 0: intact; 1: damaged; 2: could not be tried. Needs iproute2.
 *
 * Everything happens in a network namespace that ends with the program. The client sends at full
 * speed, for 10 seconds or until the server reads a wrong byte. Meanwhile four threads add an endpoint
 * each by `ip mptcp endpoint add`, and delete it after 100 ms, again and again. With the argument
 * `backup`, the endpoints are added as backup, and made regular 30 ms later. */
#include "../common.h"

enum { LOOPS = 4, WORDS = 1 << 15 };

static int client, server, is_backup, seconds = 10;
static int is_over;
static int removals;
static unsigned long length, damaged_at;

/* The word at this place of the stream. */
static unsigned long word(unsigned long place) { return place * 0x9E3779B97F4A7C15ul; }

static void *send_all(void *unused) {
    static unsigned long buffer[WORDS];
    unsigned long place = 0;
    long start = now();
    do {
        for (int i = 0; i < WORDS; i++) buffer[i] = word(place++);
        char *from = (char *)buffer;
        for (ssize_t left = sizeof buffer, n; left > 0; left -= n, from += n)
            if ((n = send(client, from, left, MSG_NOSIGNAL)) <= 0) return unused;
    } while (now() - start < seconds * 1000);
    shutdown(client, SHUT_WR);
    return unused;
}

static void *add_and_delete(void *number) {
    int id = *(int *)number;
    char add[100], change[100], delete[100];
    snprintf(add, sizeof add, "ip mptcp endpoint add 10.0.%d.1 dev lo id %d subflow %s", id, id, is_backup ? "backup" : "");
    snprintf(change, sizeof change, "ip mptcp endpoint change id %d nobackup", id);
    snprintf(delete, sizeof delete, "ip mptcp endpoint delete id %d", id);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        run(add);
        if (is_backup) {
            rest(30);
            run(change);
        }
        rest(100);
        run(delete);
        __atomic_add_fetch(&removals, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Reads until the end, or until a wrong byte. With a timeout, the SIGCHLD of system() ends a read. */
static int is_intact(void) {
    static unsigned char buffer[WORDS * 8];
    ssize_t n;
    while ((n = read(server, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR)) {
        for (ssize_t i = 0; i < n; i++) {
            unsigned long expected = word((length + i) / 8);
            if (buffer[i] != ((unsigned char *)&expected)[(length + i) % 8]) {
                damaged_at = length + i;
                return 0;
            }
            if ((length + i) % 8 == 0 && i + 8 <= n && !memcmp(buffer + i, &expected, 8)) i += 7;
        }
        if (n > 0) length += n;
    }
    check(n == 0, "cannot tell: nothing arrives for 20 seconds");
    return 1;
}

int main(int count, char **arguments) {
    struct sockaddr_in address = ipv4("10.0.0.2");
    pthread_t sender, loops[LOOPS];
    int ids[LOOPS];
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "backup")) is_backup = 1;
        else seconds = atoi(arguments[i]);
    }
    new_namespace();
    run("ip link set lo mtu 1500 up && ip address add 10.0.0.1/24 dev lo && ip address add 10.0.0.2/24 dev lo");
    run("for i in 1 2 3 4; do ip address add 10.0.$i.1/24 dev lo; done; ip mptcp limits set subflows 8");
    int listener = listen_on(IPPROTO_MPTCP, &address);
    client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_to(client, &address);
    server = accept_one(listener);
    timeout(server, 20);
    check(!pthread_create(&sender, NULL, send_all, NULL), "pthread_create");
    for (int i = 0; i < LOOPS; i++) {
        ids[i] = i + 1;
        check(!pthread_create(&loops[i], NULL, add_and_delete, &ids[i]), "pthread_create");
    }
    int is_right = is_intact();
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < LOOPS; i++) pthread_join(loops[i], NULL);
    if (is_right) printf("intact: %lu bytes, %d endpoints removed\n", length, removals);
    else printf("damaged: byte %lu is wrong, after %d endpoints were removed\n", damaged_at, removals);
    return !is_right; /* which ends the sender */
}
