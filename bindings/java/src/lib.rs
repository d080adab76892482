//! The native part of `org.subflows`: core's verbs on what Java calls a socket.
//!
//! `records.rs` is generated: how records become words, and words become options. The rest is written
//! by hand, one file per noun as in core: a function is its arguments converted, core's verb, and its
//! result in words. What can block steps core's waits; Java waits in `wait::run`, which an interrupt
//! or the closing of the handle ends at once.

mod address;
mod agent;
mod announce;
mod backup;
mod capabilities;
mod connect;
mod connection;
mod control;
mod error;
mod events;
mod info;
mod jdk;
mod open;
mod records;
mod status;
mod subflow;
mod wait;
mod words;

use error::Throw;

/// Exports each function as a static native method of `org.subflows.Native`.
macro_rules! natives {
    ($($function:path = ($($signature:tt)+);)*) => { $(
        const _: jni::NativeMethod = jni::native_method! {
            java_type = "org.subflows.Native",
            error_policy = Throw,
            fn = $function,
            static extern fn $($signature)+,
        };
    )* };
}

/// Methods of objects, because the JVM must be their caller: see `JdkHook.install`.
const _: [jni::NativeMethod; 2] = [
    jni::native_method! {
        java_type = "org.subflows.Agent$Sockets",
        error_policy = Throw,
        fn = agent::socket0::hook_socket0,
        extern fn run(),
    },
    jni::native_method! {
        java_type = "org.subflows.Available",
        error_policy = Throw,
        fn = jdk::available::hook_available,
        extern fn run(),
    },
];

natives! {
    agent::socket0::control = (control());
    agent::extra_paths::follow = (follow(paths: jlong[][], tell: java.util.function.Consumer));
    jdk::new_channel::default_provider = (default_provider() -> java.nio.channels.spi.SelectorProvider);
    connect::upgrade_new = (upgrade_new(sock: JObject));
    connect::upgrade = (upgrade(sock: JObject, fd: jint));
    connect::connecting_begin = (connecting_begin(remote: jlong[], options: jlong[]) -> jlong);
    connect::connecting_advance = (connecting_advance(handle: jlong) -> jboolean);
    connect::connecting_finish = (connecting_finish(
        handle: jlong,
        provider: java.nio.channels.spi.SelectorProvider,
        family: java.net.ProtocolFamily,
        remote: java.net.SocketAddress
    ) -> java.nio.channels.SocketChannel);
    connect::listen = (listen(
        local: jlong[],
        options: jlong[],
        provider: java.nio.channels.spi.SelectorProvider,
        family: java.net.ProtocolFamily
    ) -> java.nio.channels.ServerSocketChannel);
    control::take_control = (take_control(sock: JObject, fd: jint));
    status::status = (status(sock: JObject, fd: jint) -> jlong[]);
    info::info = (info(sock: JObject, fd: jint) -> jlong[]);
    subflow::list = (list(sock: JObject, fd: jint) -> jlong[]);
    subflow::details = (details(sock: JObject, fd: jint, id: jlong) -> jlong[]);
    subflow::close = (close(sock: JObject, fd: jint, id: jlong, force: jboolean));
    backup::set_backup = (set_backup(sock: JObject, fd: jint, id: jlong, backup: jboolean));
    open::begin = (opening_begin(sock: JObject, fd: jint, options: jlong[]) -> jlong);
    open::advance = (opening_advance(handle: jlong, sock: JObject) -> jlong[]);
    announce::announce = (announce(
        sock: JObject,
        fd: jint,
        address: jlong[],
        options: jlong[]
    ) -> jlong);
    announce::announced_id = (announced_id(handle: jlong) -> jint);
    announce::announced_address = (announced_address(handle: jlong) -> jlong[]);
    announce::announced_turn_away = (announced_turn_away(handle: jlong) -> jint);
    announce::announced_withdraw = (announced_withdraw(handle: jlong));
    address::addresses = (addresses(sock: JObject, fd: jint) -> jlong[]);
    events::events = (events(sock: JObject, fd: jint) -> jlong);
    events::events_of_namespace = (events_of_namespace() -> jlong);
    events::events_next = (events_next(handle: jlong) -> jlong[]);
    events::events_set_buffer = (events_set_buffer(handle: jlong, bytes: jint));
    connection::connections = (connections(options: jlong[]) -> jlong[]);
    connection::connection = (connection(token: jlong) -> jlong[]);
    capabilities::capabilities = (capabilities() -> jlong[]);
    wait::handle::time_left = (time_left(handle: jlong) -> jlong);
    wait::begin = (waiting_begin(handle: jlong) -> jlong);
    wait::run = (await_news(handle: jlong, wait: jlong, nanos: jlong));
    wait::ring = (ring(handle: jlong, wait: jlong));
    wait::end = (waiting_end(handle: jlong, wait: jlong));
    wait::handle::forget = (forget(handle: jlong));
}
