//! Without these, a program that takes control and is killed leaves the whole namespace changed,
//! or believes to have control that it has not.

#[path = "../common/mod.rs"]
mod common;

mod crash;

use subflows_lab::Namespace;

/// The setting that is switched, read by ourselves.
fn setting(namespace: &Namespace) -> String {
    namespace.sysctl("net.mptcp.path_manager").unwrap()
}
