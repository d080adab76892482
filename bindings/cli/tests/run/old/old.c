/* What Old.java calls. */
#include <errno.h>
#include <jni.h>
#include <sys/socket.h>

JNIEXPORT jint JNICALL Java_Old_getsockopt(JNIEnv *env, jclass class, jint fd, jint level, jint option,
                                           jbyteArray value, jint length) {
    (void)class;
    jbyte *bytes = (*env)->GetByteArrayElements(env, value, NULL);
    socklen_t size = length;
    int result = getsockopt(fd, level, option, bytes, &size) == 0 ? (int)size : -errno;
    (*env)->ReleaseByteArrayElements(env, value, bytes, 0);
    return result;
}
