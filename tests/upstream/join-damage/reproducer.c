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
#include "../common.h"
#include "../locked_socket.h"

enum { HEAD = 7, BODY = 20000, ALL = HEAD + BODY };

static void enter(int namespace) { check(!setns(namespace, CLONE_NEWNET), "setns"); }

static int namespace_of_its_own(void) {
    new_namespace();
    int namespace = open("/proc/self/ns/net", O_RDONLY);
    check(namespace >= 0, "/proc/self/ns/net");
    return namespace;
}

int main(void) {
    char command[200];
    struct sockaddr_in address = ipv4("10.0.0.9");
    int server_namespace = namespace_of_its_own();
    run("ip mptcp limits set subflows 8 && sysctl -qw net.ipv4.tcp_congestion_control=reno");
    int client_namespace = namespace_of_its_own();
    run("ip mptcp limits set subflows 8 && sysctl -qw net.ipv4.tcp_congestion_control=reno");
    snprintf(command, sizeof command, "ip link add c0 type veth peer name s0 netns /proc/%d/fd/%d",
             (int)getpid(), server_namespace);
    run(command);
    run("ip address add 10.0.0.1/24 dev c0 && ip address add 10.0.0.2/24 dev c0 && ip link set c0 up");
    run("ip mptcp endpoint add 10.0.0.1 dev c0 id 1 subflow"); /* the first subflow's */

    enter(server_namespace);
    run("ip address add 10.0.0.9/24 dev s0 && ip link set s0 up");
    int listener = listen_on(IPPROTO_MPTCP, &address);
    enter(client_namespace);
    int client = new_socket(AF_INET, IPPROTO_MPTCP);
    connect_to(client, &address);
    int server = accept_one(listener);
    exchange(client, server);

    lock(server);
    /* As backup first, so that the head goes by the first subflow. Then the first one becomes the
     * backup, so that the body goes by the second one. */
    run("ip mptcp endpoint add 10.0.0.2 dev c0 id 2 subflow backup");
    enter(server_namespace);
    await_join(0);
    static unsigned char sent[ALL], received[ALL];
    for (int i = 0; i < ALL; i++) sent[i] = (i * 2654435761u) >> 13;
    check(write(client, sent, HEAD) == HEAD, "write the head");
    enter(client_namespace);
    run("ip mptcp endpoint change id 2 nobackup && ip mptcp endpoint change id 1 backup");
    check(write(client, sent + HEAD, BODY) == BODY, "write the body");
    rest(20); /* both have arrived */

    unlock();
    timeout(server, 10);
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
