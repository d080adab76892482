/* Calls the library out of the destructors that run when a thread ends, first and last. */
#include "check.h"

#include <pthread.h>

enum { LAPS = 4 };
static pthread_key_t key;
static int laps;

static void use(void) {
    struct subflows_status status;
    struct subflows_connections *connections;
    struct subflows_error error;
    char name[8];
    int fd = subflows_socket(AF_INET);
    CHECK(fd >= 0);
    CHECK(subflows_status(fd, &status, sizeof status) == 0);
    CHECK(subflows_list(fd, NULL, 0, 0) != -SUBFLOWS_E_PANIC);
    CHECK(subflows_details(fd, 1, NULL, 0) == -SUBFLOWS_E_INVALID_ARGUMENT);
    CHECK(subflows_set_backup(fd, 1, 1) != -SUBFLOWS_E_PANIC);
    if (subflows_connections(NULL, 0, &connections) == 0)
        subflows_connections_close(connections);
    CHECK(subflows_last_error(&error, sizeof error) == 0);
    snprintf(name, sizeof name, "%s", subflows_error_name(error.kind));
    close(fd);
}

static void end(void *value) {
    use();
    /* Again in the next round of destructors, after the library's own data is gone. */
    if (laps++ < LAPS - 1)
        pthread_setspecific(key, value);
}

static void *begin(void *given) {
    pthread_setspecific(key, &key);
    use();
    return given;
}

int main(void) {
    pthread_t thread;
    CHECK(pthread_key_create(&key, end) == 0);
    CHECK(pthread_create(&thread, NULL, begin, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(laps == LAPS);
    return 0;
}
