/*
 * Starts the driver in Java on the main thread of the process: launcher LIBJVM OPTION...
 *
 * setns(2) moves one thread, and a process is where its main thread is. The launcher of the JDK runs Java
 * on another thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jni.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Moves the calling thread into the network namespace of a file, and returns an error number. */
static jint JNICALL enter(JNIEnv *env, jclass driver, jstring path) {
    (void)driver;
    const char *text = (*env)->GetStringUTFChars(env, path, NULL);
    if (text == NULL) {
        return ENOMEM;
    }
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || setns(fd, CLONE_NEWNET) != 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    (*env)->ReleaseStringUTFChars(env, path, text);
    return error;
}

typedef jint (*Create)(JavaVM **, void **, void *);

/* Runs the driver to its end, and returns whether it ended well. */
static int run(JNIEnv *env) {
    static JNINativeMethod method = {"enter", "(Ljava/lang/String;)I", (void *)enter};
    jclass driver = (*env)->FindClass(env, "Driver");
    if (driver == NULL || (*env)->RegisterNatives(env, driver, &method, 1) != 0) {
        return 0;
    }
    jmethodID start = (*env)->GetStaticMethodID(env, driver, "main", "([Ljava/lang/String;)V");
    if (start != NULL) {
        (*env)->CallStaticVoidMethod(env, driver, start, NULL);
    }
    return !(*env)->ExceptionCheck(env);
}

int main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
    Create create = library != NULL ? (Create)dlsym(library, "JNI_CreateJavaVM") : NULL;
    JavaVMOption *options = calloc((size_t)argc, sizeof *options);
    if (create == NULL || options == NULL) {
        fprintf(stderr, "launcher: %s\n", argc > 1 ? dlerror() : "the path of libjvm.so is missing");
        return 1;
    }
    JavaVMInitArgs arguments = {.version = JNI_VERSION_10, .options = options};
    for (int index = 2; index < argc; index++) {
        options[arguments.nOptions++].optionString = argv[index];
    }
    JavaVM *machine;
    void *env;
    if (create(&machine, &env, &arguments) != JNI_OK) {
        return 1;
    }
    int has_ended_well = run(env);
    if (!has_ended_well) {
        (*(JNIEnv *)env)->ExceptionDescribe(env);
    }
    (*machine)->DestroyJavaVM(machine);
    free(options);
    return has_ended_well ? 0 : 1;
}
