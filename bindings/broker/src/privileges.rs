//! What the broker gives up when it has started.

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use crate::Failure;

/// Raises the limits that one client could otherwise reach for all, and the priority, as far as the process may.
pub(crate) fn raise_limits() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // What floods the broker runs on the same processors. The requests of a user are limited, so the broker
    // cannot take much time from others.
    let _ = setpriority_process(None, -10);
}

/// Keeps only the capabilities that the acts require. Called before the first worker starts, because
/// capabilities belong to a thread.
///
/// - `CAP_NET_ADMIN`: the path manager's commands, its setting and its events.
/// - `CAP_BPF` and `CAP_PERFMON`: options of a subflow.
/// - `CAP_CHOWN`: a controlled socket belongs to the client, for firewalls and routing by user.
pub(crate) fn drop_all_others() -> Result<(), Failure> {
    let failed = |error: rustix::io::Errno| {
        Failure::new(
            format!("the broker's privileges cannot be dropped ({error})"),
            "Run the broker as root.",
        )
    };
    let wanted = CapabilitySet::NET_ADMIN
        | CapabilitySet::BPF
        | CapabilitySet::PERFMON
        | CapabilitySet::CHOWN;
    for capability in CapabilitySet::all() {
        if !wanted.contains(capability) {
            // Without CAP_SETPCAP the set cannot be changed, and a program that is executed gets no
            // privileges all the same.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
    let held = capabilities(None).map_err(failed)?;
    let kept = held.permitted & wanted;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed)?;
    set_no_new_privs(true).map_err(failed)
}
