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

/** Data on their way in one direction, in the background. */
final class Flow {
    /** What is sent, again and again: a prime number of bytes, so that nothing that went astray fits. */
    private static final byte[] BLOCK = new byte[65_521];

    static {
        for (int place = 0; place < BLOCK.length; place++) {
            BLOCK[place] = (byte) (7 * place + place / 256);
        }
    }

    /** Nothing waits longer than this for something to read. */
    static final int PATIENCE = 15_000;

    private volatile boolean isEnding;
    private FutureTask<Map<String, Object>> task;

    private Flow start(FutureTask<Map<String, Object>> task) {
        this.task = task;
        Thread thread = new Thread(task, "flow");
        thread.setDaemon(true);
        thread.start();
        return this;
    }

    /** Sends until it is told to end. */
    static Flow pour(Socket sock) {
        Flow flow = new Flow();
        return flow.start(new FutureTask<>(() -> flow.send(sock, Long.MAX_VALUE)));
    }

    /** Receives until there is no more. */
    static Flow drain(Socket sock) {
        return new Flow().start(new FutureTask<>(() -> receive(sock, Long.MAX_VALUE)));
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
        return told(bytes, sum);
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
        return told(bytes, sum);
    }

    private static Map<String, Object> told(long bytes, CRC32 sum) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("bytes", bytes);
        fields.put("crc32", sum.getValue());
        return fields;
    }
}
