package org.subflows;

import java.io.IOException;
import java.net.InetSocketAddress;

/**
 * An address that was announced to the peer. It is withdrawn when this object is closed or becomes
 * unreachable.
 */
public final class Announced implements AutoCloseable {
    private final Handle handle;

    private Announced(long number) {
        this.handle = new Handle(this, number);
    }

    static Announced announce(Object sock, int fd, long[] address, long[] options)
            throws SubflowsException {
        return new Announced(Native.announce(sock, fd, address, options));
    }

    /** The address id by which the peer knows the address. */
    public int id() throws IOException {
        return Native.announcedId(handle.number());
    }

    /** The address. Its port is 0 if no port was announced. */
    public InetSocketAddress address() throws IOException {
        return PackedAddress.address(Native.announcedAddress(handle.number()), 0);
    }

    /**
     * Resets the connections of other hosts that wait at the listener, and returns their number.
     * Never waits.
     */
    public int turnAway() throws IOException {
        return Native.announcedTurnAway(handle.number());
    }

    /**
     * Withdraws the address and closes its subflows. A second call does nothing.
     *
     * @throws SubflowsException CLOSED if the connection is over and there was nothing to withdraw
     */
    public void withdraw() throws SubflowsException {
        Native.announcedWithdraw(handle.number());
        handle.close();
    }

    /** Withdraws the address. Does nothing if the connection is over. */
    @Override
    public void close() {
        handle.close();
    }
}
