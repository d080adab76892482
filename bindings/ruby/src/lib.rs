//! The native part of the gem `subflows`: core's verbs, with positional arguments.
//!
//! The public methods, with keywords and blocks, are Ruby (`lib/`), and so is every wait: Ruby waits
//! for the descriptor of a step, and takes the next step here. `verbs.rs` and `records.rs` are
//! generated from core's tables. Written by hand are the conversions, the verbs that make sockets,
//! and the classes of handles.
// The macro makes a public function without a comment.
#![allow(missing_docs)]

mod address;
mod announce;
mod connect;
mod convert;
mod doctor;
mod error;
mod events;
mod gvl;
mod handle;
mod listen;
mod number;
mod open;
mod option;
mod probe;
mod record;
mod records;
mod sock;
mod socket;
mod verbs;

use magnus::{Error, Module, Object, Ruby, function};

/// Called by Ruby when it loads the library.
#[magnus::init(name = "subflows_native")]
fn init(ruby: &Ruby) -> Result<(), Error> {
    // SAFETY: it only marks the methods defined from here on as callable in every Ractor: they
    // share no data.
    unsafe { rb_sys::rb_ext_ractor_safe(true) };
    let module = ruby.define_module("Subflows")?;
    let native = module.define_module("Native")?;
    records::define(ruby, module)?;
    verbs::define(ruby, module, native)?;
    native.define_singleton_method("events_of_namespace", function!(events::of_namespace, 0))
}
