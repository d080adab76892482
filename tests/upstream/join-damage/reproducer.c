/* Does this kernel damage data that arrives on a new subflow while the receiver's MPTCP socket is
 * locked?
 *
 *     cc -O1 -Wall -pthread reproducer.c -o reproducer && sudo ./reproducer
 *
 * Exit status 0: intact; 1: damaged; 2: could not be tried. Needs iproute2 and userfaultfd.
 *
 * Everything happens in two network namespaces, which end with the program. The server calls send()
 * with a page that userfaultfd keeps away, so that its socket stays locked. Meanwhile the client's
 * path manager opens a second subflow, and the client sends 7 bytes on the first subflow and 20000
 * on the second one. Then the server's send() returns, and the server reads. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
enum { HEAD = 7, BODY = 20000, ALL = HEAD + BODY, PAGE = 4096 };

static int server_namespace, client_namespace, server;
static char *page;

static void check(int is_good, const char *what) {
    if (is_good) return;
    perror(what);
    exit(2);
}

static void enter(int namespace) { check(!setns(namespace, CLONE_NEWNET), "setns"); }

static void run(const char *command) { check(!system(command), command); }

static int new_namespace(void) {
    check(!unshare(CLONE_NEWNET), "unshare");
    int namespace = open("/proc/self/ns/net", O_RDONLY);
    check(namespace >= 0, "/proc/self/ns/net");
    return namespace;
}

/* A counter of the present namespace, of /proc/net/netstat. */
static long counter(const char *name) {
    static char names[1 << 14], values[1 << 14];
    FILE *file = fopen("/proc/thread-self/net/netstat", "r");
    long found = 0;
    check(file != NULL, "/proc/thread-self/net/netstat");
    while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
        char *rest_of_names, *rest_of_values;
        char *n = strtok_r(names, " \n", &rest_of_names);
        char *v = strtok_r(values, " \n", &rest_of_values);
        for (; n && v; n = strtok_r(0, " \n", &rest_of_names), v = strtok_r(0, " \n", &rest_of_values))
            if (!strcmp(n, name)) found = atol(v);
    }
    fclose(file);
    return found;
}

static void rest(int milliseconds) {
    struct timespec time = { 0, milliseconds * 1000000L };
    nanosleep(&time, NULL);
}

static void *send_the_page(void *unused) {
    check(send(server, page, 1, 0) == 1, "send");
    return unused;
}

int main(void) {
    char command[200], byte = 0;
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;

    server_namespace = new_namespace();
    run("ip mptcp limits set subflows 8 && sysctl -qw net.ipv4.tcp_congestion_control=reno");
    client_namespace = new_namespace();
    run("ip mptcp limits set subflows 8 && sysctl -qw net.ipv4.tcp_congestion_control=reno");
    snprintf(command, sizeof command, "ip link add c0 type veth peer name s0 netns /proc/%d/fd/%d",
             (int)getpid(), server_namespace);
    run(command);
    run("ip address add 10.0.0.1/24 dev c0 && ip address add 10.0.0.2/24 dev c0 && ip link set c0 up");
    run("ip mptcp endpoint add 10.0.0.1 dev c0 id 1 subflow"); /* the first subflow's */

    enter(server_namespace);
    run("ip address add 10.0.0.9/24 dev s0 && ip link set s0 up");
    inet_aton("10.0.0.9", &address.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(listener >= 0 && !bind(listener, (void *)&address, size) && !listen(listener, 8) &&
          !getsockname(listener, (void *)&address, &size), "listen");
    enter(client_namespace);
    int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    check(client >= 0 && !connect(client, (void *)&address, size), "connect");
    server = accept(listener, NULL, NULL);
    check(server >= 0 && write(client, "?", 1) == 1 && read(server, &byte, 1) == 1 &&
          write(server, "!", 1) == 1 && read(client, &byte, 1) == 1, "exchange");

    /* The server's socket is locked from here on. */
    int faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register missing = { { (unsigned long)page, PAGE }, UFFDIO_REGISTER_MODE_MISSING, 0 };
    check(faults >= 0 && page != MAP_FAILED && !ioctl(faults, UFFDIO_API, &api) &&
          !ioctl(faults, UFFDIO_REGISTER, &missing), "userfaultfd");
    pthread_t sender;
    check(!pthread_create(&sender, NULL, send_the_page, NULL), "pthread_create");
    struct pollfd is_waiting = { faults, POLLIN, 0 };
    check(poll(&is_waiting, 1, 5000) == 1, "the send that is to wait");

    /* As backup first, so that the head goes by the first subflow. Then the first one becomes the
     * backup, so that the body goes by the second one. */
    run("ip mptcp endpoint add 10.0.0.2 dev c0 id 2 subflow backup");
    enter(server_namespace);
    for (int tries = 0; counter("MPJoinAckRx") == 0; tries++) {
        check(tries < 5000, "the join");
        rest(1);
    }
    static unsigned char sent[ALL], received[ALL];
    for (int i = 0; i < ALL; i++) sent[i] = (i * 2654435761u) >> 13;
    check(write(client, sent, HEAD) == HEAD, "write the head");
    enter(client_namespace);
    run("ip mptcp endpoint change id 2 nobackup && ip mptcp endpoint change id 1 backup");
    check(write(client, sent + HEAD, BODY) == BODY, "write the body");
    rest(20); /* both have arrived */

    struct uffdio_zeropage release = { { (unsigned long)page, PAGE }, 0, 0 };
    check(!ioctl(faults, UFFDIO_ZEROPAGE, &release), "UFFDIO_ZEROPAGE");
    check(!pthread_join(sender, NULL), "pthread_join");
    struct timeval limit = { 10, 0 };
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int length = 0, same = 0;
    for (ssize_t n; length < ALL && (n = read(server, received + length, ALL - length)) > 0;) length += n;
    while (same < length && received[same] == sent[same]) same++;
    if (same == ALL) {
        printf("intact: %d bytes\n", length);
        return 0;
    }
    printf("damaged: %d of %d bytes arrived, and differ from byte %d on\n", length, ALL, same);
    return 1;
}
