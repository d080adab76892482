//! The right to make networks.

use rustix::process::geteuid;
use subflows::ErrorKind;

use crate::failure::Failure;

/// How this process came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// It was root, or as good as.
    Given,
    /// By making a user namespace, in which it is root now.
    Own,
}

/// Gets the right to make networks. Call it while the process has no second thread: the kernel
/// moves no other into a user namespace.
pub(crate) fn to_make_networks() -> Result<Rights, Failure> {
    let was = geteuid();
    subflows_lab::become_root_in_user_namespace().map_err(|error| {
        // Whatever number the system gives: what is missing is the right, and the text has the way.
        let text = format!("cannot make a network of our own: {error}");
        Failure::new(ErrorKind::NotPermitted, text).remedy("")
    })?;
    // A root without capabilities is the exception that shows no difference: the worse hint then.
    Ok(if geteuid() == was { Rights::Given } else { Rights::Own })
}
