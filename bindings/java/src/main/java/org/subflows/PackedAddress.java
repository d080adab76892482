package org.subflows;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/** Addresses as three words: two with the bytes, then one with family, port and scope. */
final class PackedAddress {
    private PackedAddress() {}

    static void ip(long[] words, int at, InetAddress ip, int port) {
        ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(ip.getAddress(), 16));
        words[at] = bytes.getLong();
        words[at + 1] = bytes.getLong();
        long family = ip instanceof Inet4Address ? 4 : 6;
        long scope = ip instanceof Inet6Address ? ((Inet6Address) ip).getScopeId() : 0;
        words[at + 2] = family << 48 | (long) port << 32 | scope & 0xffff_ffffL;
    }

    static InetAddress ip(long[] words, int at) {
        long shape = words[at + 2];
        boolean isV4 = shape >>> 48 == 4;
        ByteBuffer bytes = ByteBuffer.allocate(16).putLong(words[at]).putLong(words[at + 1]);
        byte[] address = Arrays.copyOf(bytes.array(), isV4 ? 4 : 16);
        int scope = (int) shape;
        try {
            return isV4 || scope == 0
                    ? InetAddress.getByAddress(address)
                    : Inet6Address.getByAddress(null, address, scope);
        } catch (UnknownHostException impossible) {
            throw new AssertionError(impossible);
        }
    }

    static InetSocketAddress address(long[] words, int at) {
        return new InetSocketAddress(ip(words, at), (int) (words[at + 2] >>> 32) & 0xffff);
    }

    static long[] ip(InetAddress ip) {
        long[] words = new long[3];
        ip(words, 0, ip, 0);
        return words;
    }

    static long[] addresses(List<InetSocketAddress> addresses) {
        long[] words = new long[3 * addresses.size()];
        for (int index = 0; index < addresses.size(); index++) {
            InetSocketAddress address = addresses.get(index);
            ip(words, 3 * index, address.getAddress(), address.getPort());
        }
        return words;
    }
}
