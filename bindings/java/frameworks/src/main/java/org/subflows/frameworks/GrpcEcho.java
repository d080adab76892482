package org.subflows.frameworks;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** gRPC, which chooses Netty's epoll transport. With keep-alive it sets TCP_USER_TIMEOUT. */
final class GrpcEcho {
    private static final MethodDescriptor.Marshaller<byte[]> BYTES =
            new MethodDescriptor.Marshaller<>() {
                @Override
                public InputStream stream(byte[] value) {
                    return new ByteArrayInputStream(value);
                }

                @Override
                public byte[] parse(InputStream stream) {
                    try {
                        return stream.readAllBytes();
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                }
            };

    private static final MethodDescriptor<byte[], byte[]> BODY =
            MethodDescriptor.<byte[], byte[]>newBuilder()
                    .setType(MethodDescriptor.MethodType.UNARY)
                    .setFullMethodName("Bodies/Body")
                    .setRequestMarshaller(BYTES)
                    .setResponseMarshaller(BYTES)
                    .build();

    private GrpcEcho() {}

    static void serve() throws IOException {
        ServerServiceDefinition service =
                ServerServiceDefinition.builder("Bodies")
                        .addMethod(
                                BODY,
                                ServerCalls.<byte[], byte[]>asyncUnaryCall(
                                        (path, answer) -> {
                                            String text = new String(path, StandardCharsets.UTF_8);
                                            answer.onNext(Body.of(text));
                                            answer.onCompleted();
                                        }))
                        .build();
        NettyServerBuilder.forPort(Serve.PORT)
                .keepAliveTime(20, TimeUnit.SECONDS)
                .permitKeepAliveTime(10, TimeUnit.SECONDS)
                .addService(service)
                .build()
                .start();
    }

    static Ask.Request client(String host) {
        ManagedChannel channel =
                NettyChannelBuilder.forAddress(host, Serve.PORT)
                        .usePlaintext()
                        .keepAliveTime(20, TimeUnit.SECONDS)
                        .build();
        return length -> {
            CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS);
            byte[] path = ("/" + length).getBytes(StandardCharsets.UTF_8);
            return ClientCalls.blockingUnaryCall(channel, BODY, options, path);
        };
    }
}
