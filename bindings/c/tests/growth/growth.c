/*
 * A program that is compiled with today's header and with a later one, and run with both libraries:
 * growth HOST PORT LOCAL today|later. The last word is the age of the library. */
#include "../check.h"

static struct sockaddr_storage second;
static socklen_t second_length;

/* One element more than there are subflows, to show where the library stops writing. */
static void lists(int fd, bool is_later) {
    struct subflows_subflow paths[4], unwritten;
    memset(paths, 0xff, sizeof paths);
    memset(&unwritten, 0xff, sizeof unwritten);
    CHECK(subflows_list(fd, paths, 4, sizeof paths[0]) == 2);
    for (int i = 0; i < 2; i++) {
        CHECK(paths[i].id != 0 && paths[i].state == SUBFLOWS_SUBFLOW_STATE_ESTABLISHED);
        CHECK(paths[i].segments_sent > 0 && paths[i].local.ss_family == AF_INET);
        for (size_t zero = 0; zero < sizeof paths[i].reserved_1; zero++)
            CHECK(paths[i].reserved_1[zero] == 0);
#ifdef SUBFLOWS_SUBFLOW_HAS_SENDER_LIMITED_US
        bool is_present = (paths[i].present & SUBFLOWS_SUBFLOW_HAS_SENDER_LIMITED_US) != 0;
        CHECK(is_present == is_later);
        CHECK(is_later || (paths[i].sender_limited_us == 0 && paths[i].receiver_limited_us == 0));
        CHECK(paths[i].sender_limited_us < UINT64_MAX && paths[i].receiver_limited_us < UINT64_MAX);
#else
        (void)is_later;
#endif
    }
    CHECK(memcmp(&paths[2], &unwritten, sizeof unwritten) == 0);
}

static void opens(int fd, bool is_later) {
    struct subflows_open_options options = {.local = (struct sockaddr *)&second,
                                            .local_length = second_length,
                                            .timeout_ms = SOON_MS};
    struct {
        struct subflows_subflow subflow;
        unsigned char behind[64];
    } opened;
#ifdef SUBFLOWS_SUBFLOW_HAS_SENDER_LIMITED_US
    options.urgency = 3;
    if (!is_later) {
        struct subflows_error error;
        CHECK(subflows_open(fd, &options, sizeof options, NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
        CHECK(subflows_last_error(&error, sizeof error) == 0);
        CHECK(strstr(error.message, "does not know"));
        options.urgency = 0;
    }
#else
    (void)is_later;
#endif
    memset(&opened, 0xff, sizeof opened);
    CHECK(subflows_open(fd, &options, sizeof options, &opened.subflow, sizeof opened.subflow) == 0);
    CHECK(opened.subflow.state == SUBFLOWS_SUBFLOW_STATE_ESTABLISHED);
    CHECK(memcmp(&opened.subflow.local, &second, offsetof(struct sockaddr_in, sin_port)) == 0);
    for (size_t i = 0; i < sizeof opened.behind; i++)
        CHECK(opened.behind[i] == 0xff);
}

/* The later library panics in this call, reports that, and keeps working. */
static void survives_a_bug(int fd, bool is_later) {
    int result = subflows_set_backup(fd, UINT32_MAX, 1);
    CHECK(result == (is_later ? -SUBFLOWS_E_PANIC : -SUBFLOWS_E_NO_SUCH_SUBFLOW));
    struct subflows_error error;
    CHECK(subflows_last_error(&error, sizeof error) == 0);
    CHECK(error.kind == -result && strcmp(error.operation, "set_backup") == 0);
    CHECK(strcmp(subflows_error_name(result), is_later ? "Panic" : "NoSuchSubflow") == 0);
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    bool is_later = strcmp(argv[4], "later") == 0;
    second_length = parse(argv[3], NULL, &second);
    struct subflows_connect_options options = {.control = true, .timeout_ms = SOON_MS};
    int fd = subflows_connect(argv[1], argv[2], &options, sizeof options);
    CHECK(fd >= 0);
    moves_data(fd);
    survives_a_bug(fd, is_later);
    opens(fd, is_later);
    lists(fd, is_later);
    moves_data(fd);
    close(fd);
    return 0;
}
