/* Loads the library, uses it in a thread that ends, and unloads it, many times. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <subflows.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *path;

static void *use(void *unused) {
    (void)unused;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return NULL;
    int (*make)(int) = (int (*)(int))dlsym(library, "subflows_socket");
    int (*details)(int, uint32_t, struct subflows_details *, size_t) =
        (int (*)(int, uint32_t, struct subflows_details *, size_t))dlsym(library,
                                                                        "subflows_details");
    int (*connections)(const void *, size_t, struct subflows_connections **) =
        (int (*)(const void *, size_t, struct subflows_connections **))dlsym(
            library, "subflows_connections");
    struct subflows_details out;
    struct subflows_connections *list;
    int fd = make(AF_INET);
    /* The last error and the netlink socket are kept for this thread until it ends. */
    int failed = details(fd, 1, &out, sizeof out);
    if (connections(NULL, 0, &list) == 0) {
        void (*end)(struct subflows_connections *) =
            (void (*)(struct subflows_connections *))dlsym(library, "subflows_connections_close");
        end(list);
    }
    close(fd);
    dlclose(library);
    return failed < 0 ? (void *)path : NULL;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    path = argv[1];
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, use, NULL) || pthread_join(thread, &result) || !result)
            return 1;
    }
    return use(NULL) == NULL;
}
