//! The native part of the gem `subflows`: core's verbs, with arguments that stand in their order.
//!
//! The methods with keywords, blocks and waits that people call are Ruby (`lib/`), and so is every
//! wait: Ruby waits for the descriptor of a step, and takes the next one here. `records.rs` is
//! generated: a class per record. The rest is written by hand, one file per noun as in core.
// The macro makes a public function without a comment.
#![allow(missing_docs)]

mod address;
mod announce;
mod backup;
mod capabilities;
mod connect;
mod connection;
mod control;
mod convert;
mod error;
mod events;
mod gvl;
mod handle;
mod info;
mod listen;
mod open;
mod record;
mod records;
mod status;
mod subflow;
mod upgrade;

use magnus::{Error, Module, Object, Ruby, function};

/// Called by Ruby when it loads the library.
#[magnus::init(name = "subflows_native")]
fn init(ruby: &Ruby) -> Result<(), Error> {
    // SAFETY: it only notes that the methods defined from here on may be called in every Ractor:
    // none of them shares anything with another.
    unsafe { rb_sys::rb_ext_ractor_safe(true) };
    let module = ruby.define_module("Subflows")?;
    records::define(ruby, module)?;
    connect::define(ruby, module)?;
    open::define(ruby, module)?;
    announce::define(ruby, module)?;
    events::define(ruby, module)?;

    let native = module.define_module("Native")?;
    native.define_singleton_method("socket", function!(connect::socket, 1))?;
    native.define_singleton_method("connect", function!(connect::begin, 5))?;
    native.define_singleton_method("listen", function!(listen::listen, 4))?;
    native.define_singleton_method("upgrade", function!(upgrade::upgrade, 1))?;
    native.define_singleton_method("take_control", function!(control::take_control, 1))?;
    native.define_singleton_method("status", function!(status::status, 1))?;
    native.define_singleton_method("info", function!(info::info, 1))?;
    native.define_singleton_method("list", function!(subflow::list, 1))?;
    native.define_singleton_method("details", function!(subflow::details, 2))?;
    native.define_singleton_method("open", function!(open::begin, 8))?;
    native.define_singleton_method("close", function!(subflow::close, 3))?;
    native.define_singleton_method("set_backup", function!(backup::set_backup, 3))?;
    native.define_singleton_method("announce", function!(announce::announce, 4))?;
    native.define_singleton_method("addresses", function!(address::addresses, 1))?;
    native.define_singleton_method("events", function!(events::events, 1))?;
    native.define_singleton_method("events_of_namespace", function!(events::of_namespace, 0))?;
    native.define_singleton_method("connections", function!(connection::connections, 1))?;
    native.define_singleton_method("connection", function!(connection::connection, 1))?;
    native.define_singleton_method("capabilities", function!(capabilities::capabilities, 0))
}
