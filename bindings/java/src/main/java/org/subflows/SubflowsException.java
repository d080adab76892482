package org.subflows;

import java.net.SocketException;
import java.util.Optional;
import java.util.OptionalInt;

/** A failed call: what failed, why, and what to do about it. */
public final class SubflowsException extends SocketException {
    private static final long serialVersionUID = 1;

    private final ErrorKind kind;
    private final int errno;
    private final String operation;
    private final String remedy;
    private final String kernelText;

    SubflowsException(
            int kind,
            int errno,
            String operation,
            String message,
            String remedy,
            String kernelText) {
        super(message);
        this.kind = ErrorKind.of(kind);
        this.errno = errno;
        this.operation = operation;
        this.remedy = remedy;
        this.kernelText = kernelText;
    }

    /** The kind of error. */
    public ErrorKind kind() {
        return kind;
    }

    /** The kernel's error number, if it reported one. */
    public OptionalInt errno() {
        return errno == 0 ? OptionalInt.empty() : OptionalInt.of(errno);
    }

    /** The name of the call that failed. */
    public String operation() {
        return operation;
    }

    /** What to do about it, in one sentence. */
    public String remedy() {
        return remedy;
    }

    /** The kernel's own text, if it sent one. It differs between kernels. */
    public Optional<String> kernelText() {
        return Optional.ofNullable(kernelText);
    }
}
