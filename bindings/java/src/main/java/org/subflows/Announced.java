package org.subflows;

import java.io.IOException;
import java.net.InetSocketAddress;

/** An address that the peer was told of. Closed or forgotten, it is withdrawn. */
public final class Announced implements AutoCloseable {
    private final Handle handle;

    private Announced(long number) {
        this.handle = new Handle(this, number);
    }

    static Announced announce(Object sock, int fd, long[] address, long[] options)
            throws SubflowsException {
        return new Announced(Native.announce(sock, fd, address, options));
    }

    /** The address id that the peer knows it by. */
    public int id() throws IOException {
        return Native.announcedId(handle.number());
    }

    /** The address; its port is 0 where none was announced. */
    public InetSocketAddress address() throws IOException {
        return Words.address(Native.announcedAddress(handle.number()), 0);
    }

    /** Resets every stranger who waits at the listener; gives how many. Never waits. */
    public int turnAway() throws IOException {
        return Native.announcedTurnAway(handle.number());
    }

    /**
     * Withdraws the address and closes its subflows. A second time does nothing.
     *
     * @throws SubflowsException CLOSED where the connection is over: nothing was left to withdraw
     */
    public void withdraw() throws SubflowsException {
        Native.announcedWithdraw(handle.number());
        handle.close();
    }

    /** Withdraws the address; where the connection is over, there is nothing to tell. */
    @Override
    public void close() {
        handle.close();
    }
}
