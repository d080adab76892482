/* The functions whose names end in `_e`: failures CASE. */
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

static bool is_zero(const struct subflows_failure *failure) {
    static const struct subflows_failure zero;
    return memcmp(failure, &zero, sizeof zero) == 0;
}

static void is_last_error(const struct subflows_failure *failure) {
    struct subflows_error error;
    CHECK(subflows_last_error(&error, sizeof error) == 0);
    CHECK(failure->kind == error.kind && failure->number == error.number);
    CHECK(strcmp(failure->operation, error.operation) == 0);
    CHECK(strcmp(failure->message, error.message) == 0);
    CHECK(strcmp(failure->remedy, error.remedy) == 0);
    CHECK(!(failure->present & SUBFLOWS_FAILURE_HAS_NUMBER) == (error.number == 0));
    CHECK(!(failure->present & SUBFLOWS_FAILURE_HAS_DETAIL) == (error.detail == NULL));
    CHECK(strcmp(failure->detail, error.detail ? error.detail : "") == 0);
    CHECK(!(failure->present & SUBFLOWS_FAILURE_HAS_KERNEL_TEXT) == (error.kernel_text == NULL));
    CHECK(strcmp(failure->kernel_text, error.kernel_text ? error.kernel_text : "") == 0);
}

static void a_failure_is_copied_whole(void) {
    struct subflows_status status;
    struct subflows_failure failure;
    memset(&failure, 0xff, sizeof failure);
    /* With a detail of this library. */
    CHECK(subflows_status_e(-1, &status, sizeof status, &failure, sizeof failure) ==
          -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(failure.kind == SUBFLOWS_E_INVALID_ARGUMENT && *failure.detail && *failure.remedy);
    is_last_error(&failure);
    /* With a number of the kernel's. */
    memset(&failure, 0xff, sizeof failure);
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK(subflows_status_e(pipes[0], &status, sizeof status, &failure, sizeof failure) < 0);
    CHECK(failure.present & SUBFLOWS_FAILURE_HAS_NUMBER && failure.number == ENOTSOCK);
    is_last_error(&failure);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_success_leaves_zeros(void) {
    struct subflows_status status;
    struct subflows_failure failure;
    memset(&failure, 0xff, sizeof failure);
    int fd = subflows_socket_e(AF_INET, &failure, sizeof failure);
    CHECK(fd >= 0 && is_zero(&failure));
    memset(&failure, 0xff, sizeof failure);
    CHECK(subflows_status_e(fd, &status, sizeof status, &failure, sizeof failure) == 0);
    CHECK(is_zero(&failure));
    /* Also after a failure of the same thread. */
    CHECK(subflows_take_control(-1) < 0);
    memset(&failure, 0xff, sizeof failure);
    CHECK(subflows_status_e(fd, &status, sizeof status, &failure, sizeof failure) == 0);
    CHECK(is_zero(&failure));
    close(fd);
}

static void a_failure_is_not_wanted(void) {
    struct subflows_status status;
    CHECK(subflows_status_e(-1, &status, sizeof status, NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_status_e(-1, &status, sizeof status, NULL, 7) == -SUBFLOWS_E_INVALID_ARGUMENT);
    int fd = subflows_socket_e(AF_INET, NULL, 0);
    CHECK(fd >= 0 && subflows_status_e(fd, &status, sizeof status, NULL, 0) == 0);
    close(fd);
}

static struct subflows_connecting *connecting(void) {
    struct subflows_connecting *connecting;
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int listener = subflows_listen("127.0.0.1", "0", NULL, 0);
    CHECK(listener >= 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(subflows_connecting_begin((struct sockaddr *)&address, length, NULL, 0, &connecting) == 0);
    close(listener);
    return connecting;
}

static void a_wrong_size_does_nothing(void) {
    static const size_t wrong[] = {0, 7, sizeof(struct subflows_failure) - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct subflows_failure failure;
        memset(&failure, 0x5a, sizeof failure);
        CHECK(subflows_socket_e(AF_INET, &failure, wrong[i]) == -SUBFLOWS_E_INVALID_ARGUMENT);
        CHECK(failure.kind == 0x5a5a5a5a && failure.operation[0] == 0x5a);
        /* A function that closes its handle in any case does so. */
        struct subflows_connecting *handle = connecting();
        int fd = subflows_connecting_fd(handle);
        CHECK(fcntl(fd, F_GETFD) >= 0);
        CHECK(subflows_connecting_finish_e(handle, &failure, wrong[i]) ==
              -SUBFLOWS_E_INVALID_ARGUMENT);
        CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    }
}

/* A program that was built with a later header, whose struct is larger. */
static void a_larger_struct_ends_in_zeros(void) {
    struct {
        struct subflows_failure failure;
        uint64_t later;
    } larger;
    memset(&larger, 0xff, sizeof larger);
    CHECK(subflows_upgrade_e(-1, &larger.failure, sizeof larger) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(larger.failure.kind == SUBFLOWS_E_INVALID_ARGUMENT && larger.later == 0);
}

/* Whether it is UTF-8 of characters of two bytes that follows `start` plain ones. */
static bool is_whole(const char *text, size_t room, size_t start) {
    size_t length = strnlen(text, room);
    return length < room && (length - start) % 2 == 0;
}

static void a_long_text_is_cut_between_characters(void) {
    char host[2 * 1500 + 2];
    for (size_t odd = 0; odd < 2; odd++) {
        struct subflows_failure failure;
        memset(host, 'x', odd);
        for (size_t i = odd; i + 2 < sizeof host; i += 2)
            memcpy(host + i, "\u00e4", 2);
        host[sizeof host - 2 + odd] = 0;
        CHECK(subflows_connect_e(host, "1", NULL, 0, &failure, sizeof failure) ==
              -SUBFLOWS_E_INVALID_ARGUMENT);
        size_t start = strlen("connect: ") + odd;
        CHECK(strncmp(failure.message, "connect: ", strlen("connect: ")) == 0);
        CHECK(is_whole(failure.message, sizeof failure.message, start));
        CHECK(is_whole(failure.detail, sizeof failure.detail, odd));
        CHECK(strlen(failure.message) >= sizeof failure.message - 2);
        CHECK(*failure.remedy != 0);
    }
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *fails(void *given) {
    struct subflows_failure failure;
    char expected[64];
    int number = -1 - *(int *)given;
    snprintf(expected, sizeof expected, "close: %d is not a file descriptor", number);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(subflows_close_e(number, 1, &failure, sizeof failure) ==
              -SUBFLOWS_E_INVALID_ARGUMENT);
        CHECK(strcmp(failure.message, expected) == 0);
    }
    return NULL;
}

static void each_thread_has_its_own(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, fails, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static pthread_key_t key;
static int rounds;

/* Runs again and again while the thread's data is destroyed, so also after that of the library. */
static void at_the_end(void *value) {
    struct subflows_failure failure;
    memset(&failure, 0xff, sizeof failure);
    CHECK(subflows_close_e(-1, 1, &failure, sizeof failure) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(failure.kind == SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(memchr(failure.message, 0, sizeof failure.message) != NULL);
    if (++rounds < 4)
        CHECK(pthread_setspecific(key, value) == 0);
}

static void *ends(void *given) {
    CHECK(pthread_setspecific(key, given) == 0);
    CHECK(subflows_close(-1, 1) == -SUBFLOWS_E_INVALID_ARGUMENT);
    return NULL;
}

static void a_thread_that_ends_has_the_kind(void) {
    pthread_t thread;
    CHECK(pthread_key_create(&key, at_the_end) == 0);
    CHECK(pthread_create(&thread, NULL, ends, &key) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(rounds == 4);
}

int main(int argc, char **argv) {
    static const struct test_case cases[] = {
        CASE(a_failure_is_copied_whole),
        CASE(a_success_leaves_zeros),
        CASE(a_failure_is_not_wanted),
        CASE(a_wrong_size_does_nothing),
        CASE(a_larger_struct_ends_in_zeros),
        CASE(a_long_text_is_cut_between_characters),
        CASE(each_thread_has_its_own),
        CASE(a_thread_that_ends_has_the_kind),
    };
    return RUN_CASE(cases, argc, argv);
}
