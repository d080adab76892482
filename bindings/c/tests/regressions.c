/* Earlier bugs: regressions CASE. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

/* getaddrinfo() accepts 65616 as port 80, and "" as port 0. */
static void a_service_of_more_than_16_bits_is_cut(void) {
    static const char *const services[] = {"65536", "65616", "-65456", "+99999", " 65616", "", " "};
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        CHECK(subflows_listen("127.0.0.1", services[i], NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
        CHECK(subflows_connect("127.0.0.1", services[i], NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
    }
    /* A name may begin with a digit. */
    int fd = subflows_listen("127.0.0.1", "0", NULL, 0);
    CHECK(fd >= 0);
    close(fd);
}

/* A size that ended in the middle of `interface` once left an invalid pointer. */
static void half_a_pointer_is_followed(void) {
    struct subflows_connect_options options = {.interface = "lo"};
    struct subflows_open_options open_options = {.interface = "lo"};
    const size_t half = offsetof(struct subflows_connect_options, interface) + 3;
    CHECK(subflows_connect("127.0.0.1", "1", &options, half) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_open(0, &open_options, half, NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
}

/* Without a place for the handle, the library once connected to the peer nevertheless. */
static void a_connection_is_made_without_a_handle(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(subflows_connecting_begin((struct sockaddr *)&address, length, NULL, 0, NULL) ==
          -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
    close(listener);
}

/* If the port was taken for IPv4, "every address" once became every address of the other family. */
static void every_address_is_half_of_them(void) {
    static const char *const every[] = {NULL, ""};
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        struct sockaddr_storage bound = {0};
        socklen_t length = sizeof bound;
        int listener = subflows_listen(every[i], "0", NULL, 0);
        CHECK(listener >= 0 && getsockname(listener, (struct sockaddr *)&bound, &length) == 0);
        /* The port is at the same offset in the addresses of both families. */
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        v4.sin_port = ((struct sockaddr_in *)&bound)->sin_port;
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int client = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(client, (struct sockaddr *)&v4, sizeof v4) == 0);
        close(client);
        close(listener);

        char port[8];
        int taken = socket(AF_INET, SOCK_STREAM, 0);
        v4.sin_port = 0;
        length = sizeof v4;
        CHECK(bind(taken, (struct sockaddr *)&v4, length) == 0 && listen(taken, 1) == 0);
        CHECK(getsockname(taken, (struct sockaddr *)&v4, &length) == 0);
        snprintf(port, sizeof port, "%u", ntohs(v4.sin_port));
        CHECK(subflows_listen(every[i], port, NULL, 0) == -SUBFLOWS_E_ADDRESS_NOT_AVAILABLE);
        close(taken);
    }
}

enum { LOGS = 8 };

/* Closes all its descriptors, as daemons do, and opens its logs. */
static void becomes_a_daemon(void) {
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int i = 0; i < LOGS; i++) {
        char name[32];
        snprintf(name, sizeof name, "log.%d", i);
        FILE *log = fopen(name, "w");
        CHECK(log != NULL);
        fputs("the last words", log);
    }
    /* Ends the thread: the library closes the descriptors that it kept, and stdio writes the logs.
     * */
    exit(0);
}

/* The logs are in the working directory. The library once closed descriptors by numbers that now
 * belonged to the program. */
static void a_daemon_loses_the_end_of_its_logs(void) {
    struct subflows_connection connection;
    struct subflows_status status;
    int ended, fd = subflows_socket(AF_INET);
    /* The library keeps two sockets: one to the socket table, one to the path manager. */
    CHECK(subflows_status(fd, &status, sizeof status) == 0);
    CHECK(subflows_connection(1, &connection, sizeof connection) < 0);
    close(fd);
    pid_t daemon = fork();
    if (daemon == 0)
        becomes_a_daemon();
    CHECK(waitpid(daemon, &ended, 0) == daemon && WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    for (int i = 0; i < LOGS; i++) {
        char name[32], text[32] = "";
        snprintf(name, sizeof name, "log.%d", i);
        FILE *log = fopen(name, "r");
        CHECK(log != NULL && fgets(text, sizeof text, log) != NULL);
        CHECK(strcmp(text, "the last words") == 0);
        fclose(log);
    }
}

/* subflows_open() reported the system's error for the same lack. */
static void no_descriptor_left_is_an_invalid_argument(void) {
    struct subflows_opening *opening = NULL;
    struct subflows_error error;
    int fd = subflows_socket(AF_INET);
    CHECK(fd >= 0);
    while (dup(fd) >= 0)
        ;
    CHECK(subflows_opening_begin(fd, NULL, 0, &opening) == -SUBFLOWS_E_OS);
    CHECK(subflows_last_error(&error, sizeof error) >= 0 && error.number == EMFILE);
    CHECK(strstr(error.remedy, "ulimit -n") != NULL);
}

/* The remedies were "See the documentation of the call". */
static void wrong_arguments_have_no_remedy(void) {
    static const struct subflows_open_options defaults;
    struct subflows_subflow subflow;
    struct subflows_error error;
#define ANSWER(call, words)                                                                        \
    do {                                                                                           \
        CHECK((call) == -SUBFLOWS_E_INVALID_ARGUMENT);                                             \
        CHECK(subflows_last_error(&error, sizeof error) >= 0);                                     \
        CHECK(strstr(error.remedy, words) != NULL);                                                \
    } while (0)
    ANSWER(subflows_connect("192.0.2.1:443", "443", NULL, 0), "the port apart");
    ANSWER(subflows_connect(NULL, "443", NULL, 0), "IP address");
    ANSWER(subflows_connect("192.0.2.1", NULL, NULL, 0), "443");
    ANSWER(subflows_open(-1, NULL, 0, &subflow, sizeof subflow), "it failed");
    ANSWER(subflows_open(0, &defaults, 3, &subflow, sizeof subflow), "sizeof");
    ANSWER(subflows_list(0, &subflow, 1, 4), "sizeof");
    int null = open("/dev/null", O_RDONLY);
    ANSWER(subflows_open(null, NULL, 0, &subflow, sizeof subflow), "socket that is open");
#undef ANSWER
}

int main(int argc, char **argv) {
    static const struct test_case cases[] = {
        CASE(a_service_of_more_than_16_bits_is_cut),
        CASE(half_a_pointer_is_followed),
        CASE(a_connection_is_made_without_a_handle),
        CASE(every_address_is_half_of_them),
        CASE(a_daemon_loses_the_end_of_its_logs),
        CASE(no_descriptor_left_is_an_invalid_argument),
        CASE(wrong_arguments_have_no_remedy),
    };
    return RUN_CASE(cases, argc, argv);
}
