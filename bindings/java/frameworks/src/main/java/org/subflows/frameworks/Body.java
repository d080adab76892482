package org.subflows.frameworks;

/** The answer to a request for so many bytes. */
final class Body {
    private Body() {}

    static byte[] of(int length) {
        byte[] body = new byte[length];
        for (int i = 0; i < length; i++) {
            body[i] = (byte) (i * 31 + length);
        }
        return body;
    }

    /** The answer to a request with this path, {@code /LENGTH}. */
    static byte[] of(String path) {
        return of(Integer.parseInt(path.substring(1)));
    }
}
