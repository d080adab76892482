import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.channels.NetworkChannel;

/**
 * Reads options for which Java has no name, by a private function of the JDK. The driver is started
 * with {@code --add-opens java.base/sun.nio.ch=ALL-UNNAMED}.
 */
final class RawOption {
    private static final Method DESCRIPTOR = find("SelChImpl", "getFD");
    private static final Method GET =
            find("Net", "getIntOption0", FileDescriptor.class, boolean.class, int.class, int.class);

    private RawOption() {}

    static int get(NetworkChannel channel, int level, int option) throws IOException {
        return (int) Library.run(GET, null, Library.run(DESCRIPTOR, channel), false, level, option);
    }

    private static Method find(String type, String name, Class<?>... parameters) {
        try {
            return Class.forName("sun.nio.ch." + type).getDeclaredMethod(name, parameters);
        } catch (ReflectiveOperationException other) {
            throw new AssertionError("this JDK has no such function", other);
        }
    }
}
