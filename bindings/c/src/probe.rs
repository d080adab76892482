//! Finding out what an address offers: in one call, or stepped by the caller's loop.

use std::net::SocketAddr;

use subflows::{Probe, Probing};

use crate::prelude::*;

/// Neither a signal nor pthread_cancel() ends the wait: use subflows_probing_begin() for that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_probe(
    address: *const sockaddr,
    length: socklen_t,
    options: *const subflows_probe_options,
    size: usize,
    probe_report: *mut subflows_probe_report,
    probe_report_size: usize,
) -> c_int {
    guard("probe", || {
        // SAFETY: `probe_report` has `probe_report_size` bytes.
        let out = unsafe { Out::new(probe_report, probe_report_size) }?;
        // SAFETY: `options` has `size` bytes.
        let options: Probe = unsafe { read(options, size) }?;
        Ok(out.fill(&subflows::probe(probed(address, length)?, &options)?))
    })
}

fn probed(address: *const sockaddr, length: socklen_t) -> Result<SocketAddr, Failure> {
    let address = convert::address(address, length, "address")?;
    convert::required(address, "address", convert::AN_ADDRESS)
}

/// A probe that is under way, for programs that have a loop of their own.
pub struct subflows_probing(Probing);

/// Starts a probe, and returns without waiting.
///
/// Poll subflows_probing_fd() for readability, for at most subflows_probing_timeout_ms(), and then
/// call subflows_probing_advance(). Repeat until that returns 1 or an error, and close the handle with
/// subflows_probing_cancel(). Do not call it later than that: about a second later, the kernel may stop
/// to use Multipath TCP in the network namespace. Returns 0 and a handle in `probing`, or a negative
/// error as subflows_probe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_probing_begin(
    address: *const sockaddr,
    length: socklen_t,
    options: *const subflows_probe_options,
    size: usize,
    probing: Option<&mut MaybeUninit<Box<subflows_probing>>>,
) -> c_int {
    guard("probe", || {
        // SAFETY: `options` has `size` bytes.
        let options: Probe = unsafe { read(options, size) }?;
        let address = probed(address, length)?;
        hand_out(probing, || Ok(subflows_probing(Probing::begin(address, &options)?)))
    })
}

/// Returns the descriptor to poll for readability, which belongs to the handle and is the same each
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_probing_fd(probing: Option<&mut subflows_probing>) -> c_int {
    guard("probe", || Ok(handle::open(probing)?.0.fd().as_raw_fd()))
}

/// Returns how long to poll at most, in milliseconds; 0 if the handle is NULL. It changes with each
/// subflows_probing_advance().
#[unsafe(no_mangle)]
pub extern "C" fn subflows_probing_timeout_ms(probing: Option<&subflows_probing>) -> c_int {
    guard("probe", || Ok(probing.map_or(0, |probing| milliseconds_until(probing.0.deadline()))))
}

/// Continues without waiting: fills `report` and returns 1 if the probe has ended, or returns 0 if it
/// has not, or a negative error as subflows_probe().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_probing_advance(
    probing: Option<&mut subflows_probing>,
    report: *mut subflows_probe_report,
    size: usize,
) -> c_int {
    guard("probe", || {
        // SAFETY: `report` has `size` bytes.
        let out = unsafe { Out::new(report, size) }?;
        let Some(found) = handle::open(probing)?.0.advance()? else { return Ok(0) };
        out.fill(&found);
        Ok(1)
    })
}

/// Closes the handle. Does nothing if it is NULL. The connections of the probe are closed.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_probing_cancel(probing: Option<Box<subflows_probing>>) {
    handle::close("probe", probing);
}
