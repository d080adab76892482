import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.util.Arrays;

/**
 * As the Java library of 2016 had it: a class with static methods over getsockopt(2), by JNI. Old LIBRARY HOST PORT LOCAL.
 * The sockets of the JVM are sockets of IPv6, also for IPv4.
 */
class Old {
    private static final int TCP = 6, IDS = 66, CLOSE = 67, TUPLE = 68, OPEN = 69;

    /** Returns the length, or the negative number of the error. */
    private static native int getsockopt(int fd, int level, int option, byte[] value, int length);

    static int[] list(int fd) {
        byte[] value = new byte[66];
        int length = check(getsockopt(fd, TCP, IDS, value, value.length));
        int[] ids = new int[value[0]];
        require(length == 2 + 2 * ids.length);
        for (int i = 0; i < ids.length; i++)
            ids[i] = value[2 + 2 * i];
        return ids;
    }

    /** Both ends are addresses of IPv4, in a tuple of IPv4. */
    static int open(int fd, InetAddress local, InetSocketAddress remote) {
        ByteBuffer tuple = ByteBuffer.allocate(33);
        tuple.position(1);
        for (InetSocketAddress end : new InetSocketAddress[] {new InetSocketAddress(local, 0), remote})
            tuple.order(ByteOrder.nativeOrder()).putShort((short) 2).order(ByteOrder.BIG_ENDIAN)
                .putShort((short) end.getPort()).put(end.getAddress().getAddress()).putLong(0);
        check(getsockopt(fd, TCP, OPEN, tuple.array(), 33));
        return list(fd)[0]; // The newest.
    }

    static byte[] local(int fd, int id) {
        byte[] tuple = new byte[33];
        tuple[0] = (byte) id;
        require(check(getsockopt(fd, TCP, TUPLE, tuple, 33)) == 33);
        return Arrays.copyOfRange(tuple, 5, 9);
    }

    static void close(int fd, int id) {
        check(getsockopt(fd, TCP, CLOSE, new byte[] {(byte) id, 0, 0, 0, 2, 0, 0, 0}, 8));
    }

    private static int check(int result) {
        require(result >= 0);
        return result;
    }

    private static void require(boolean condition) {
        if (!condition)
            throw new AssertionError();
    }

    private static void echo(SocketChannel channel) throws Exception {
        InputStream in = channel.socket().getInputStream();
        OutputStream out = channel.socket().getOutputStream();
        out.write('?');
        require(in.read() == '?');
    }

    public static void main(String[] words) throws Exception {
        System.load(words[0]);
        InetAddress local = InetAddress.getByName(words[3]);
        InetSocketAddress remote = new InetSocketAddress(words[1], Integer.parseInt(words[2]));
        SocketChannel channel = SocketChannel.open(remote);
        var getter = channel.getClass().getMethod("getFDVal");
        getter.setAccessible(true);
        int fd = (int) getter.invoke(channel);
        require(Arrays.equals(list(fd), new int[] {1}));
        echo(channel);
        int id = open(fd, local, remote);
        require(id == 2 && Arrays.equals(local(fd, id), local.getAddress()));
        echo(channel);
        close(fd, 1);
        require(Arrays.equals(list(fd), new int[] {2}));
        echo(channel);
    }
}
