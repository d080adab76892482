package org.subflows;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;

/**
 * A probe of an address, in steps. If this is closed or becomes unreachable before the probe has
 * ended, its connections are closed.
 */
public final class Probing implements AutoCloseable {
    private final Handle handle;

    private Probing(long[] address, long[] options) throws SubflowsException {
        this.handle = new Handle(this, Native.probingBegin(address, options));
    }

    /** Sends the first segment. Never waits. Then call {@link #finish}, or {@link #advance} often. */
    public static Probing begin(InetSocketAddress address, ProbeOptions options)
            throws SubflowsException {
        return new Probing(
                PackedAddress.addresses(Given.resolved(address, "address")),
                Given.notNull(options, "options", "ProbeOptions.defaults()").words());
    }

    static ProbeReport probe(long[] address, long[] options) throws IOException {
        try (Probing probing = new Probing(address, options)) {
            return probing.finish();
        }
    }

    /** Returns the report if the probe has ended. Never waits. */
    public Optional<ProbeReport> advance() throws IOException {
        long[] words = handle.advance(null);
        return words == null ? Optional.empty() : Optional.of(ProbeReport.only(words));
    }

    /**
     * Waits until the probe has ended.
     *
     * @throws java.io.InterruptedIOException if the thread is interrupted; it stays interrupted
     * @throws java.nio.channels.ClosedChannelException if this is closed before
     */
    public ProbeReport finish() throws IOException {
        return ProbeReport.only(handle.finish(null));
    }

    /** Ends the probe. A second call does nothing. */
    @Override
    public void close() {
        handle.close();
    }
}
