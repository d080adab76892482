/*
 * What programs do at the edges of the calls that `subflows run` hooks: hooks CASE [HOST PORT]. Each case ends with 0 if
 * the system's answers are those that it gives without the library.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition) ((condition) ? (void)0 : failed(__LINE__, #condition))

static struct sockaddr_in to;

static void failed(int line, const char *condition) {
    fprintf(stderr, "hooks.c:%d: %s does not hold: %s\n", line, condition, strerror(errno));
    _exit(1);
}

static void fails(int result, int number) {
    CHECK(result == -1);
    CHECK(errno == number);
}

static int connected(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Sends a byte, and waits for the answer. The server sends it once it sees two subflows. */
static void is_answered(int fd) {
    char byte = '?';
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    CHECK(send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
    CHECK(poll(&ready, 1, 20000) == 1 && recv(fd, &byte, 1, 0) == 1);
}

/* The server has seen the end once its own end arrives by another connection. */
static void ends_while_the_process_lives(void) {
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(recv(fd, &byte, 1, 0) == 1);
}

static void lists(int fd) {
    unsigned char ids[66];
    socklen_t length = sizeof ids;
    CHECK(getsockopt(fd, IPPROTO_TCP, 66, ids, &length) == 0 && ids[0] >= 1);
}

static void by_fclose(void) {
    int fd = connected();
    lists(fd);
    fclose(fdopen(fd, "r+"));
    ends_while_the_process_lives();
}

static void by_dup2(void) {
    int fd = connected();
    lists(fd);
    CHECK(dup2(0, fd) == fd);
    ends_while_the_process_lives();
}

static void by_close_range(void) {
    int fd = connected();
    lists(fd);
    CHECK(syscall(SYS_close_range, fd, fd, 0) == 0);
    ends_while_the_process_lives();
}

/* A copy is closed, by this process or by a child. The connection goes on, and gets its path. */
static void a_copy(void) {
    int fd = connected();
    CHECK(close(dup(fd)) == 0);
    is_answered(fd);
}

static void a_child(void) {
    int fd = connected();
    pid_t child = fork();
    if (child == 0) {
        close(fd);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    is_answered(fd);
}

static void twice(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fails(connect(fd, (struct sockaddr *)&to, sizeof to), EINPROGRESS);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    CHECK(poll(&ready, 1, 20000) == 1);
    connect(fd, (struct sockaddr *)&to, sizeof to);
    is_answered(fd);
}

static void own(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 262);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    is_answered(fd);
}

static void lowest(void) {
    CHECK(close(0) == 0);
    CHECK(socket(AF_INET, SOCK_STREAM, 0) == 0);
    CHECK((fcntl(0, F_GETFD) & FD_CLOEXEC) == 0);
    CHECK(fcntl(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), F_GETFD) & FD_CLOEXEC);
}

static void other_namespace(void) {
    CHECK(unshare(CLONE_NEWNET) == 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    fails(connect(fd, (struct sockaddr *)&to, sizeof to), ENETUNREACH);
}

static void pointers(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    void *wrong = (void *)8;
    socklen_t length = 4, negative = -1;
    fails(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, wrong, 4), EFAULT);
    fails(setsockopt(fd, IPPROTO_TCP, 12, wrong, 4), EFAULT);
    fails(setsockopt(fd, IPPROTO_TCP, 12, &on, 2), EINVAL);
    fails(getsockopt(fd, IPPROTO_TCP, 12, wrong, &length), EFAULT);
    fails(getsockopt(fd, IPPROTO_TCP, 12, &on, wrong), EFAULT);
    fails(getsockopt(fd, IPPROTO_TCP, 12, &on, &negative), EINVAL);
    length = 4;
    CHECK(getsockopt(fd, IPPROTO_TCP, 12, &on, &length) == 0 && length == 4 && on == 1);
    fails(getsockopt(-1, IPPROTO_TCP, 12, &on, &length), EBADF);
    fails(connect(fd, wrong, 16), EFAULT);
    fails(close(-1), EBADF);
    if (getenv("SUBFLOWS_RUN_ENHANCED")) {
        fails(getsockopt(fd, IPPROTO_TCP, 66, wrong, &length), EOPNOTSUPP);
        int connection = connected();
        length = 64;
        fails(getsockopt(connection, IPPROTO_TCP, 66, wrong, &length), EFAULT);
        fails(getsockopt(connection, IPPROTO_TCP, 67, wrong, &length), EFAULT);
        fails(getsockopt(connection, IPPROTO_TCP, 66, &on, wrong), EFAULT);
        fails(setsockopt(connection, IPPROTO_TCP, 72, wrong, 32), EFAULT);
    }
}

static int allows(int port) {
    /* struct landlock_ruleset_attr of Linux 6.7, which older headers lack: files, and LANDLOCK_ACCESS_NET_CONNECT_TCP. */
    unsigned long long rules[2] = {0, 2};
    struct { unsigned long long access, port; } __attribute__((packed)) rule = {2, port};
    int set = syscall(SYS_landlock_create_ruleset, rules, sizeof rules, 0);
    if (set < 0)
        return 0;
    CHECK(port == 0 || syscall(SYS_landlock_add_rule, set, 2, &rule, 0) == 0);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_landlock_restrict_self, set, 0) == 0);
    return 1;
}

static void jailed(void) {
    if (!allows(1)) {
        puts("no Landlock");
        return;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    fails(connect(fd, (struct sockaddr *)&to, sizeof to), EACCES);
}

static void permitted(void) {
    if (!allows(ntohs(to.sin_port))) {
        puts("no Landlock");
        return;
    }
    connected();
}

/* close() in a signal handler, on a stack of the usual size. */
static volatile int closed;
static int to_close;

static void on_signal(int number) {
    (void)number;
    closed = close(to_close) == 0;
}

static void small_stack(void) {
    enum { STACK = 8192, GUARD = 65536 };
    char *memory = mmap(NULL, STACK + GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + GUARD, STACK, PROT_READ | PROT_WRITE) == 0);
    stack_t stack = {.ss_sp = memory + GUARD, .ss_size = STACK};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    to_close = connected();
    CHECK(raise(SIGUSR1) == 0 && closed);
}

static void *connects(void *unused) {
    (void)unused;
    for (;;)
        close(connected());
    return NULL;
}

static int descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void cancelled(void) {
    int before = descriptors();
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, connects, NULL) == 0);
        usleep(500);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    /* A thread that ends between connect() and close() leaves its socket, as it does without the library. */
    CHECK(descriptors() - before <= 100);
}

static int unread(int fd) {
    int bytes = -1;
    CHECK(ioctl(fd, FIONREAD, &bytes) == 0);
    return bytes;
}

static int listening(struct sockaddr_in *here) {
    socklen_t length = sizeof *here;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    *here = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(server, (struct sockaddr *)here, length) == 0 && listen(server, 8) == 0);
    CHECK(getsockname(server, (struct sockaddr *)here, &length) == 0);
    return server;
}

/* FIONREAD does not count the end of the peer's data, and takes no error. */
static void counts(void) {
    char bytes[8] = {0};
    int number, pipes[2], server = listening(&to);
    fails(ioctl(server, FIONREAD, &number), EINVAL);
    CHECK(unread(socket(AF_INET, SOCK_STREAM, 0)) == 0);
    for (int is_reset = 0; is_reset < 2; is_reset++)
        for (int count = 0; count < 4; count++) {
            int client = connected(), accepted = accept(server, NULL, NULL);
            struct pollfd ready = {.fd = accepted, .events = POLLIN}, ended = {.fd = client, .events = POLLRDHUP};
            CHECK(send(client, bytes, 1, 0) == 1 && poll(&ready, 1, 20000) == 1 && unread(accepted) == 1);
            CHECK(is_reset || recv(accepted, bytes, 1, 0) == 1);
            CHECK(unread(accepted) == is_reset && send(accepted, bytes, count, 0) == count);
            for (ready.fd = client; unread(client) < count;)
                CHECK(poll(&ready, 1, 20000) == 1);
            /* With unread data, closing resets the connection. */
            CHECK(close(accepted) == 0 && poll(&ended, 1, 20000) == 1 && unread(client) == count);
            for (int left = count; left > 0; left--)
                CHECK(recv(client, bytes, 1, 0) == 1 && unread(client) == left - 1);
            if (is_reset)
                fails(recv(client, bytes, 1, 0), ECONNRESET);
            CHECK(recv(client, bytes, 1, 0) == 0 && unread(client) == 0);
            fails(ioctl(client, FIONREAD, (void *)8), EFAULT);
            /* Without an argument, and with other requests. */
            CHECK(ioctl(client, FIOCLEX) == 0 && fcntl(client, F_GETFD) == FD_CLOEXEC);
            CHECK(ioctl(client, TIOCOUTQ, &number) == 0 && number == 0);
            close(client);
        }
    CHECK(pipe(pipes) == 0 && write(pipes[1], bytes, 3) == 3 && unread(pipes[0]) == 3);
    fails(ioctl(-1, FIONREAD, &number), EBADF);
}

/* Every function that is hooked, and every answer of the library's own: for tools that check memory. */
static void everything(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    int on = 1, number = -1, server = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(setsockopt(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof on) == 0);
    CHECK(bind(server, (struct sockaddr *)&here, sizeof here) == 0 && listen(server, 8) == 0);
    CHECK(getsockname(server, (struct sockaddr *)&here, &length) == 0);
    for (int i = 0; i < 3; i++) {
        char byte = '?';
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, i % 2 ? IPPROTO_TCP : 0);
        CHECK(setsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, &on, sizeof on) == 0);
        CHECK(connect(client, (struct sockaddr *)&here, sizeof here) == 0 && send(client, &byte, 1, 0) == 1);
        int accepted = accept(server, NULL, NULL);
        CHECK(accepted >= 0 && recv(accepted, &byte, 1, 0) == 1 && send(accepted, &byte, 1, 0) == 1);
        CHECK(recv(client, &byte, 1, 0) == 1 && unread(client) == 0);
        length = sizeof number;
        CHECK(getsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, &number, &length) == 0 && number == on);
        if (getenv("SUBFLOWS_RUN_ENHANCED")) {
            unsigned char tuple[33] = {1}, closed = 9;
            /* struct mptcp_info of the patched kernels, with room for the connection and two subflows. */
            struct { unsigned lengths[5]; void *meta, *initial, *subflows, *ends; } info;
            unsigned char meta[48], initial[300], subflows[600], ends[112];
            info.lengths[0] = sizeof initial, info.lengths[1] = sizeof subflows, info.lengths[2] = sizeof meta;
            info.lengths[3] = 56, info.lengths[4] = sizeof ends;
            info.meta = meta, info.initial = initial, info.subflows = subflows, info.ends = ends;
            lists(client);
            length = sizeof tuple;
            CHECK(getsockopt(client, IPPROTO_TCP, 68, tuple, &length) == 0 && length == sizeof tuple);
            length = 1;
            fails(getsockopt(client, IPPROTO_TCP, 67, &closed, &length), EINVAL);
            length = sizeof info;
            CHECK(getsockopt(client, IPPROTO_TCP, 45, &info, &length) == 0);
            CHECK(info.lengths[2] == sizeof meta && info.lengths[4] >= 56);
        }
        /* The last one stays open until the end of the process. */
        if (i < 2) {
            struct pollfd ended = {.fd = accepted, .events = POLLRDHUP};
            CHECK(shutdown(client, SHUT_WR) == 0 && poll(&ended, 1, 20000) == 1 && unread(accepted) == 0);
            CHECK(close(client) == 0 && syscall(SYS_close, accepted) == 0);
            fails(syscall(SYS_close, accepted), EBADF);
            CHECK(syscall(SYS_getpid) == getpid());
        }
    }
}

int main(int argc, char **argv) {
    static const struct { const char *name; void (*run)(void); } cases[] = {
        {"by_fclose", by_fclose}, {"by_dup2", by_dup2}, {"by_close_range", by_close_range},
        {"a_copy", a_copy}, {"a_child", a_child}, {"twice", twice}, {"own", own}, {"lowest", lowest},
        {"other_namespace", other_namespace}, {"pointers", pointers}, {"jailed", jailed},
        {"permitted", permitted}, {"small_stack", small_stack}, {"cancelled", cancelled},
        {"counts", counts}, {"everything", everything},
    };
    CHECK(argc == 4);
    to.sin_family = AF_INET;
    to.sin_port = htons(atoi(argv[3]));
    CHECK(inet_pton(AF_INET, argv[2], &to.sin_addr) == 1);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
