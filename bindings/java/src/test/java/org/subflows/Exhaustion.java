package org.subflows;

import java.io.IOException;
import java.net.SocketException;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;

/** Makes channels until that fails, and prints the exception. */
final class Exhaustion {
    private Exhaustion() {}

    public static void main(String[] arguments) throws IOException {
        List<SocketChannel> channels = new ArrayList<>();
        String said = "nothing";
        try {
            while (channels.size() < 1000) {
                channels.add(SocketChannel.open());
            }
        } catch (SocketException tooMany) {
            said = tooMany.getClass().getSimpleName() + ": " + tooMany.getMessage();
        }
        for (SocketChannel channel : channels) {
            channel.close();
        }
        System.out.print(said);
    }
}
