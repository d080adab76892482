/*
 * The baseline of the benchmarks, in C. Each function repeats a call as often as its argument states,
 * and returns 0, or -1 if a call fails. Java calls it once, so that the cost of JNI is not measured.
 */
#include <jni.h>
#include <subflows.h>
#include <sys/socket.h>
#include <unistd.h>

JNIEXPORT jint JNICALL Java_org_subflows_benches_Baseline_info(JNIEnv *env, jclass class, jint fd,
                                                               jint times) {
    struct subflows_info info;
    (void)env, (void)class;
    for (jint i = 0; i < times; i++)
        if (subflows_info(fd, &info, sizeof info) != 0)
            return -1;
    return 0;
}

JNIEXPORT jint JNICALL Java_org_subflows_benches_Baseline_list(JNIEnv *env, jclass class, jint fd,
                                                               jint times) {
    struct subflows_subflow paths[8];
    (void)env, (void)class;
    for (jint i = 0; i < times; i++)
        if (subflows_list(fd, paths, 8, sizeof paths[0]) != 2)
            return -1;
    return 0;
}

/* The kind of socket that the JDK makes. */
JNIEXPORT jint JNICALL Java_org_subflows_benches_Baseline_socket(JNIEnv *env, jclass class,
                                                                 jint times) {
    (void)env, (void)class;
    for (jint i = 0; i < times; i++) {
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || close(fd) != 0)
            return -1;
    }
    return 0;
}

JNIEXPORT jint JNICALL Java_org_subflows_benches_Baseline_upgrade(JNIEnv *env, jclass class,
                                                                  jint times) {
    (void)env, (void)class;
    for (jint i = 0; i < times; i++) {
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -1;
        int failed = subflows_upgrade(fd);
        if (close(fd) != 0 || failed)
            return -1;
    }
    return 0;
}
