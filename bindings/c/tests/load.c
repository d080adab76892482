/* Loads the library named by its argument, and prints how many nanoseconds that took. */
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    long long start = now();
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    long long took = now() - start;
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    if (!dlsym(library, "subflows_open"))
        return 1;
    printf("%lld\n", took);
    /* A library that was loaded with dlopen() can be unloaded and loaded again. */
    dlclose(library);
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    return library == NULL || dlclose(library) != 0;
}
