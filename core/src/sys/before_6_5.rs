//! What only kernels before Linux 6.5 need, which have no `MPTCP_FULL_INFO`: a subflow's addresses,
//! its counters and its id are read by three interfaces, and matched.
//!
//! To drop support for these kernels, delete this file and `shared/before_6_5.rs`, and with them:
//! - in `shared/subflow.rs`, the branches of `gather` that call `before_6_5::gather`;
//! - in `shared/diag_subflow.rs`, `search` as a function that others call;
//! - in `shared/ready.rs`, the subflows without ids if they cannot be listed, and in `has_moved_data` the
//!   connection without counters, with the parameter `has_lost_all`;
//! - in `verb/info.rs`, the condition on [`is_simulated`], and the subflows without ids;
//! - in `verb/capabilities.rs`, the check `full_info`;
//! - in `has_living_peer` of `sys/unix.rs` (SO_PEERPIDFD is of Linux 6.5 too), the answer to an unknown option;
//! - in `bindings/cli/src/watch/model.rs`, the sums of `total`;
//! - `full_info` in `SUBFLOWS_WITHOUT`: `tests/run`, `core/tests/control/filtered.rs`,
//!   `core/tests/causes/kernels.rs`, and where programs run under valgrind, which does not know the newer
//!   option (`bindings/c/tests/sanitizers.rs`, `tests/examples/src/players.rs`);
//! - in `core/tests`, `bindings/cli` and `tests/conform/src/steps/` (`state.rs`, `subflow.rs`, `events.rs`), what
//!   `is_without("full_info")`, `"full_info"`, `is_before(6, 5)` and `is_before` with an older version excuse;
//! - Linux 6.1 in the tests on other kernels: its series and the single processor in `tests/kernels/run` and
//!   README.md there, the help of `kernels` in the Makefile, `tests/socket_options/kernels/6.1.tsv` (then
//!   `cargo run --package subflows-socket-options` writes OPTIONS.md without it), and KERNELS.md;
//! - `since` of the operations and `"6.5"` of fields that then every supported kernel has, and remedies
//!   that name an older kernel (`cause.rs`; `NO_FULL_INFO` and `SIMULATED` go as a whole);
//! - what is no longer used in `sys/mod.rs`, `sys/uapi.rs` and `sys/mptcp.rs`;
//! - "before 6.5" in the documentation: `list`, `info` and their records, `door/common/address_ids.rs`,
//!   `door/broker/perform.rs`, `bare.rs`, README.md, and `bindings/generate/src/c/overview.txt`.
//!
//! Not part of it: what kernels before 6.8 need (`info` then counts subflows with `list`), and what
//! kernels before 6.10 need (`addresses_by_token` in `shared/path_manager.rs`, and its callers).

use std::io;
use std::mem::{offset_of, size_of};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use super::cache::QueryError;
use super::mptcp::{self, MAX_SUBFLOWS, RawSubflow, USUAL_SUBFLOWS, is_live};
use super::netlink::u32_at;
use super::sock_diag::Head;
use super::uapi::{SOL_MPTCP, mptcp_subflow_addrs, tcp_info};
use super::without::is_without;
use super::{address, plain, socket};

const MPTCP_TCPINFO: i32 = 2;
const MPTCP_SUBFLOW_ADDRS: i32 = 3;

/// `struct mptcp_subflow_data`: the head of `MPTCP_TCPINFO` and `MPTCP_SUBFLOW_ADDRS`.
#[repr(C)]
struct mptcp_subflow_data {
    size_subflow_data: u32,
    num_subflows: u32,
    size_kernel: u32,
    size_user: u32,
}
const _: () = assert!(size_of::<mptcp_subflow_data>() == 16);

/// Reports whether this kernel is to be treated as one before 6.5 (`SUBFLOWS_WITHOUT=full_info`).
pub(crate) fn is_simulated() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| is_without("full_info"))
}

/// Why the subflows could not be listed.
pub(crate) enum Failure {
    /// An option of the socket could not be read.
    Option(io::Error),
    /// `sock_diag` did not find a subflow, for another reason than that it is gone.
    SockDiag(QueryError),
}

/// Calls `each` with each subflow that is not closed. `find` looks a subflow up in `sock_diag`, by
/// the connection's token and both addresses.
///
/// These kernels have no ids of subflows. The low half of the kernel's cookie of the subflow's
/// socket is used instead.
pub(crate) fn subflows(
    sock: BorrowedFd<'_>,
    find: impl Fn(u32, (SocketAddr, SocketAddr)) -> Result<Head, QueryError>,
    mut each: impl FnMut(RawSubflow<'_>),
) -> Result<(), Failure> {
    let subflows = addresses_and_counters(sock).map_err(Failure::Option)?;
    let token = mptcp::info(sock).map_err(Failure::Option)?.raw.mptcpi_token;
    for (local, remote, tcp) in subflows {
        match find(token, (local, remote)) {
            Ok(found) => {
                each(RawSubflow { id: found.cookie as u32, local, remote, tcp: &tcp });
            }
            // The subflow was closed in between.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(Failure::SockDiag(error)),
        }
    }
    Ok(())
}

/// Reads the addresses, the counters, and the addresses again, until the addresses are the same
/// twice and there are as many counters.
pub(crate) fn addresses_and_counters(
    sock: BorrowedFd<'_>,
) -> io::Result<Vec<(SocketAddr, SocketAddr, tcp_info)>> {
    const TRIES: usize = 64;
    let mut before = read_addresses(sock)?;
    for _ in 0..TRIES {
        let counters = read_counters(sock)?;
        let after = read_addresses(sock)?;
        if before == after && after.len() == counters.len() {
            let live = after.into_iter().zip(counters).filter_map(|(addresses, tcp)| {
                let (local, remote) = addresses?;
                let live = is_live(tcp.tcpi_state) && !local.ip().is_unspecified();
                live.then_some((local, remote, tcp))
            });
            return Ok(live.collect());
        }
        before = after;
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Both ends of a subflow; `None` if they are not addresses of IPv4 or IPv6.
type Ends = Option<(SocketAddr, SocketAddr)>;

fn read_addresses(sock: BorrowedFd<'_>) -> io::Result<Vec<Ends>> {
    let elements = read_elements(sock, MPTCP_SUBFLOW_ADDRS, size_of::<mptcp_subflow_addrs>())?;
    let parse = |bytes: &[u8]| {
        Some((address::parse(bytes.get(..128)?)?, address::parse(bytes.get(128..)?)?))
    };
    Ok(elements.0.chunks_exact(elements.1).map(parse).collect())
}

fn read_counters(sock: BorrowedFd<'_>) -> io::Result<Vec<tcp_info>> {
    let elements = read_elements(sock, MPTCP_TCPINFO, size_of::<tcp_info>())?;
    let parse = |bytes: &[u8]| {
        let mut tcp = tcp_info::default();
        plain::read_prefix(bytes, &mut tcp);
        tcp
    };
    Ok(elements.0.chunks_exact(elements.1).map(parse).collect())
}

/// Reads one of the two options that return a head and an array. Returns the array and the distance
/// from one element to the next.
fn read_elements(sock: BorrowedFd<'_>, name: i32, size: usize) -> io::Result<(Vec<u8>, usize)> {
    let mut capacity = USUAL_SUBFLOWS;
    while capacity <= MAX_SUBFLOWS {
        let mut buffer = vec![0u8; HEAD + capacity * size];
        buffer[0..4].copy_from_slice(&(HEAD as u32).to_ne_bytes());
        buffer[12..16].copy_from_slice(&(size as u32).to_ne_bytes());
        let length = socket::get_bytes(sock, SOL_MPTCP, name, &mut buffer)?;
        match elements(&buffer[..length], size).ok_or(io::ErrorKind::InvalidData)? {
            Elements::All(bytes, stride) => return Ok((bytes.to_vec(), stride)),
            // A few more may be opened before the next call.
            Elements::More(total) => capacity = (total + 4).max(capacity * 2),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EOVERFLOW))
}

/// The size of `mptcp_subflow_data`, which the array follows.
const HEAD: usize = size_of::<mptcp_subflow_data>();

enum Elements<'a> {
    /// The array and the distance from one element to the next.
    All(&'a [u8], usize),
    /// Not all were written: there are that many.
    More(usize),
}

/// Splits what the kernel wrote. Returns `None` if it contradicts itself.
fn elements(written: &[u8], size: usize) -> Option<Elements<'_>> {
    let total = u32_at(written, offset_of!(mptcp_subflow_data, num_subflows))? as usize;
    let stride = u32_at(written, offset_of!(mptcp_subflow_data, size_user))? as usize;
    let array = written.get(HEAD..)?;
    if stride == 0 || stride > size {
        return None;
    }
    match array.get(..total.checked_mul(stride)?) {
        Some(all) => Some(Elements::All(all, stride)),
        None => Some(Elements::More(total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_elements_than_there_are_is_more_and_not_wrong() {
        let head = [16u32, 3, 280, 8].map(u32::to_ne_bytes).concat();
        assert!(matches!(elements(&head, 8), Some(Elements::More(3))));
        let all = [head, vec![7; 24]].concat();
        assert!(matches!(elements(&all, 8), Some(Elements::All(bytes, 8)) if bytes == [7; 24]));
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_elements_or_nothing(bytes: Vec<u8>, size in 1usize..300) {
            if let Some(Elements::All(array, stride)) = elements(&bytes, size) {
                proptest::prop_assert!(array.len() + HEAD <= bytes.len() && stride <= size);
            }
        }
    }
}
