package org.subflows.frameworks;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import java.time.Duration;

/** Lettuce, which chooses a native transport of Netty's. The server is redis-server. */
final class LettuceClient {
    private static final byte[] KEY = {'k'};

    private LettuceClient() {}

    static Ask.Request client(String host) {
        RedisURI uri =
                RedisURI.builder().withHost(host).withPort(Serve.PORT).withTimeout(Duration.ofSeconds(30)).build();
        RedisCommands<byte[], byte[]> redis =
                RedisClient.create(uri).connect(ByteArrayCodec.INSTANCE).sync();
        return length -> {
            redis.set(KEY, Body.of(length));
            return redis.get(KEY);
        };
    }
}
