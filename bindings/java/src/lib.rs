//! The native part of `org.subflows`: core's verbs on what Java calls a socket.
//!
//! - `verb/`: the verbs, one file per noun as in core.
//! - `jdk/`: what is known about the JDK's inside, where a verb finds the descriptor of an object.
//! - `wait/`: values that live longer than a call, and the waits for them. A verb that can block
//!   steps core's wait, and Java waits in `wait::run`, which an interrupt or closing the handle ends
//!   at once.
//! - `agent/`: the agent for whole applications.
//! - `packed.rs`: how records and options cross the border; `records.rs` is generated for it.
//! - `error.rs`: failures, as Java throws them.

mod agent;
mod error;
mod jdk;
mod packed;
mod records;
mod verb;
mod wait;

use agent::{extra_paths, socket0};
use error::Throw;
use jdk::{available, new_channel};
use verb::{
    address, announce, backup, capabilities, connect, connection, control, events, info, listen,
    open, status, subflow, upgrade,
};
use wait::handle;

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
        fn = socket0::hook_socket0,
        extern fn run(),
    },
    jni::native_method! {
        java_type = "org.subflows.Available",
        error_policy = Throw,
        fn = available::hook_available,
        extern fn run(),
    },
];

natives! {
    socket0::control = (control());
    extra_paths::follow = (follow(paths: jlong[][], tell: java.util.function.Consumer));
    new_channel::default_provider = (default_provider() -> java.nio.channels.spi.SelectorProvider);
    upgrade::upgrade_new = (upgrade_new(sock: JObject));
    upgrade::upgrade = (upgrade(sock: JObject, fd: jint));
    connect::connecting_begin = (connecting_begin(remote: jlong[], options: jlong[]) -> jlong);
    connect::connecting_advance = (connecting_advance(handle: jlong) -> jboolean);
    connect::connecting_finish = (connecting_finish(
        handle: jlong,
        provider: java.nio.channels.spi.SelectorProvider,
        family: java.net.ProtocolFamily,
        remote: java.net.SocketAddress
    ) -> java.nio.channels.SocketChannel);
    listen::listen = (listen(
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
    handle::time_left = (time_left(handle: jlong) -> jlong);
    wait::begin = (waiting_begin(handle: jlong) -> jlong);
    wait::run = (await_news(handle: jlong, wait: jlong, nanos: jlong));
    wait::ring = (ring(handle: jlong, wait: jlong));
    wait::end = (waiting_end(handle: jlong, wait: jlong));
    handle::forget = (forget(handle: jlong));
}
