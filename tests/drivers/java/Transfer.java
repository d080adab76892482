import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.zip.CRC32;

/** Data in one direction, in the background. */
final class Transfer {
    /**
     * The block that is sent repeatedly. Its size is prime, so that misplaced data changes the
     * checksum.
     */
    private static final byte[] BLOCK = new byte[65_521];

    static {
        for (int place = 0; place < BLOCK.length; place++) {
            BLOCK[place] = (byte) (7 * place + place / 256);
        }
    }

    /** The longest wait for something to read, in milliseconds. */
    static final int PATIENCE = 15_000;

    private volatile boolean isEnding;
    private FutureTask<Map<String, Object>> task;

    private Transfer start(FutureTask<Map<String, Object>> task) {
        this.task = task;
        Thread thread = new Thread(task, "transfer");
        thread.setDaemon(true);
        thread.start();
        return this;
    }

    /** Sends until {@link #end} is called. */
    static Transfer startSending(Socket sock) {
        Transfer transfer = new Transfer();
        return transfer.start(new FutureTask<>(() -> transfer.send(sock, Long.MAX_VALUE)));
    }

    /** Receives until the stream ends. */
    static Transfer startReceiving(Socket sock) {
        return new Transfer().start(new FutureTask<>(() -> receive(sock, Long.MAX_VALUE)));
    }

    Map<String, Object> end() throws IOException {
        isEnding = true;
        try {
            return task.get();
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof IOException) {
                throw (IOException) failure.getCause();
            }
            throw new AssertionError(failure.getCause());
        } catch (InterruptedException impossible) {
            throw new AssertionError(impossible);
        }
    }

    Map<String, Object> send(Socket sock, long wanted) throws IOException {
        OutputStream out = sock.getOutputStream();
        CRC32 sum = new CRC32();
        long bytes = 0;
        while (bytes < wanted && !isEnding) {
            int place = (int) (bytes % BLOCK.length);
            int length = (int) Math.min(BLOCK.length - place, wanted - bytes);
            out.write(BLOCK, place, length);
            sum.update(BLOCK, place, length);
            bytes += length;
        }
        return fields(bytes, sum);
    }

    static Map<String, Object> receive(Socket sock, long wanted) throws IOException {
        sock.setSoTimeout(PATIENCE);
        InputStream in = sock.getInputStream();
        CRC32 sum = new CRC32();
        byte[] chunk = new byte[BLOCK.length];
        long bytes = 0;
        while (bytes < wanted) {
            int length;
            try {
                length = in.read(chunk, 0, (int) Math.min(chunk.length, wanted - bytes));
            } catch (EOFException end) {
                break;
            }
            if (length < 0) {
                break;
            }
            sum.update(chunk, 0, length);
            bytes += length;
        }
        return fields(bytes, sum);
    }

    private static Map<String, Object> fields(long bytes, CRC32 sum) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("bytes", bytes);
        fields.put("crc32", sum.getValue());
        return fields;
    }
}
