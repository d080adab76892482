//! The native part of `org.subflows`: core's verbs on Java's sockets.
//!
//! - `verb/`: the verbs. Those that only convert are generated.
//! - `jdk/`: the JDK's private members and functions, by which a verb finds the descriptor of an
//!   object.
//! - `wait/`: values that live longer than a call, and the waits for them. A verb that can block
//!   steps core's wait in `wait::until`, which an interrupt or closing the handle ends at once.
//! - `agent/`: the agent for whole applications.
//! - `option/`: socket options that the kernel does not have for Multipath TCP sockets.
//! - `packed.rs`: records and options as words, which cross the border; `records.rs` is generated
//!   for it.
//! - `error.rs`: failures, and the exceptions that Java throws for them.

/// Exports each function as a static native method of a class.
macro_rules! natives {
    ($class:literal: $($function:path = ($($signature:tt)+);)*) => { $(
        const _: jni::NativeMethod = jni::native_method! {
            java_type = $class,
            error_policy = Throw,
            fn = $function,
            static extern fn $($signature)+,
        };
    )* };
}

/// Exports each function as the method `run` of an object, because the JVM must be its caller: see
/// `JdkHook.install`.
macro_rules! hooks {
    ($($class:literal: $function:path;)*) => { $(
        const _: jni::NativeMethod = jni::native_method! {
            java_type = $class,
            error_policy = Throw,
            fn = $function,
            extern fn run(),
        };
    )* };
}

/// Functions that replace static native methods of the JDK's or Netty's, with the methods' signatures.
macro_rules! replacements {
    ($($function:path = ($($signature:tt)+);)*) => { [$(
        jni::native_method! {
            error_policy = Throw,
            fn = $function,
            static fn $($signature)+,
        }
    ),*] };
}

mod agent;
mod error;
mod jdk;
mod option;
mod packed;
mod records;
mod verb;
mod wait;

use agent::{extra_paths, netty, socket0};
use error::Throw;
use jdk::{available, new_channel, options};
use verb::{announce, connect, doctor, events, listen, open, probe, take_control, upgrade};
use wait::{handle, stepped};

hooks! {
    "org.subflows.Agent$Sockets": socket0::hook_socket0;
    "org.subflows.Available": available::hook_available;
    "org.subflows.SocketOptions": options::hook_options;
    "org.subflows.SocketOptions$QuickAck": options::hook_quick_ack;
}

natives! { "org.subflows.Native":
    socket0::control = (control());
    socket0::has_interface = (has_interface(name: JString) -> jboolean);
    netty::reach = (reach_netty() -> jboolean);
    netty::reach_loaded = (reach_loaded_netty(class: java.lang.Class, name: JString) -> jboolean);
    extra_paths::follow = (follow(paths: jlong[][], report: java.util.function.Consumer));
    new_channel::default_provider = (default_provider() -> java.nio.channels.spi.SelectorProvider);
    upgrade::upgrade_new = (upgrade_new(sock: JObject));
    take_control::take_control = (take_control(sock: JObject, fd: jint));
    upgrade::upgrade = (upgrade(sock: JObject, fd: jint));
    connect::begin = (connecting_begin(remotes: jlong[], options: jlong[]) -> jlong);
    connect::finish = (connecting_finish(
        handle: jlong,
        provider: java.nio.channels.spi.SelectorProvider,
        remote: java.net.SocketAddress
    ) -> java.nio.channels.SocketChannel);
    listen::listen = (listen(
        locals: jlong[],
        is_any: jboolean,
        options: jlong[],
        provider: java.nio.channels.spi.SelectorProvider
    ) -> java.nio.channels.ServerSocketChannel);
    open::begin = (opening_begin(sock: JObject, fd: jint, options: jlong[]) -> jlong);
    doctor::begin = (examining_begin(options: jlong[]) -> jlong);
    probe::begin = (probing_begin(address: jlong[], options: jlong[]) -> jlong);
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
    events::events = (events(sock: JObject, fd: jint) -> jlong);
    events::events_of_namespace = (events_of_namespace() -> jlong);
    events::events_poll = (events_poll(handle: jlong) -> jlong[]);
    events::events_next = (events_next(handle: jlong, wait: jlong, nanos: jlong) -> jlong[]);
    events::events_set_buffer = (events_set_buffer(handle: jlong, bytes: jint));
    stepped::advance = (advance(handle: jlong, sock: JObject) -> jlong[]);
    stepped::await_result = (await_result(handle: jlong, wait: jlong, sock: JObject) -> jlong[]);
    handle::close = (close_handle(handle: jlong));
    wait::begin = (wait_begin(handle: jlong) -> jlong);
    wait::wake = (wake(handle: jlong, wait: jlong));
    wait::end = (wait_end(handle: jlong, wait: jlong));
}
