//! The options 42 to 45 of the patched kernels, whose numbers mean something else today.

use std::fs;
use std::os::fd::BorrowedFd;

use subflows::{PathManager, State, Status};

use crate::errno::{
    Errno, NO_SUCH_NAME, NO_SUCH_OPTION, NOT_MPTCP, NOT_PERMITTED, SHORT_BUFFER, errno,
};
use crate::layout::{
    ENABLED, INFO, META_INFO, NAME_MAX, PATH_MANAGER, SCHEDULER, SUB_INFO, sub_info,
};

/// The names under which the patched kernels had a path manager that does nothing by itself.
const OF_PROGRAM: &str = "default";
/// The name under which they had one that follows the system's configuration.
const OF_SYSTEM: &str = "netlink";

/// Gets an option. Returns its length.
pub fn get(sock: BorrowedFd<'_>, option: i32, value: &mut [u8]) -> Result<usize, Errno> {
    let status = status(sock)?;
    match option {
        ENABLED => {
            let is_enabled = i32::from(is_mptcp(&status)).to_ne_bytes();
            copy(&is_enabled, value)
        }
        SCHEDULER => copy_name(&scheduler(), value),
        PATH_MANAGER if status.path_manager == PathManager::Kernel => copy_name(OF_SYSTEM, value),
        PATH_MANAGER => copy_name(OF_PROGRAM, value),
        _ => Err(NO_SUCH_OPTION),
    }
}

/// Sets an option. Those that choose something do so only before the socket is connected.
pub fn set(sock: BorrowedFd<'_>, option: i32, value: &[u8]) -> Result<(), Errno> {
    let status = status(sock)?;
    let is_new = [State::Unconnected, State::Tcp].contains(&status.state)
        && rustix::net::getpeername(sock).is_err();
    match option {
        // The flag asks for the counters of the initial subflow after its end, which are always reported.
        INFO if is_mptcp(&status) => Ok(()),
        INFO => Err(NOT_MPTCP),
        ENABLED | SCHEDULER | PATH_MANAGER if !is_new => Err(NOT_PERMITTED),
        ENABLED => {
            let bytes = value.get(..4).and_then(|bytes| bytes.try_into().ok());
            let is_wanted = i32::from_ne_bytes(bytes.ok_or(SHORT_BUFFER)?) != 0;
            match (is_wanted, is_mptcp(&status)) {
                (true, false) => subflows::upgrade(&sock).map_err(|error| errno(&error)),
                (false, true) => Err(NOT_PERMITTED),
                _ => Ok(()),
            }
        }
        // All sockets of a namespace have the same.
        SCHEDULER if name(value) == scheduler() || name(value) == OF_PROGRAM => Ok(()),
        PATH_MANAGER if name(value) == OF_PROGRAM => {
            if status.path_manager == PathManager::Userspace {
                return Ok(());
            }
            subflows::take_control(&sock).map_err(|error| errno(&error))
        }
        PATH_MANAGER if name(value) == OF_SYSTEM => Ok(()),
        SCHEDULER | PATH_MANAGER => Err(NO_SUCH_NAME),
        _ => Err(NO_SUCH_OPTION),
    }
}

/// The parts of `struct mptcp_info`.
#[derive(Clone, Debug)]
pub struct Info {
    /// A `struct mptcp_meta_info`: the connection.
    pub meta: [u8; META_INFO],
    /// A `struct tcp_info` for each subflow, the initial one first.
    pub subflows: Vec<Vec<u8>>,
    /// A `struct mptcp_sub_info` for each subflow.
    pub addresses: Vec<[u8; SUB_INFO]>,
}

/// Reads the counters of a connection and of its subflows (`MPTCP_INFO`). Each `struct tcp_info` has up to
/// `tcp_info` bytes.
pub fn info(sock: BorrowedFd<'_>, tcp_info: usize) -> Result<Info, Errno> {
    if !is_mptcp(&status(sock)?) {
        // `EINVAL` in the patched kernel.
        return Err(SHORT_BUFFER);
    }
    let of = |error: subflows::Error| errno(&error);
    let connection = subflows::info(&sock).map_err(of)?;
    let listed = subflows::list(&sock).map_err(of)?;
    let mut info = Info { meta: [0; META_INFO], subflows: Vec::new(), addresses: Vec::new() };
    for subflow in &listed {
        let length = u32::try_from(tcp_info).unwrap_or(u32::MAX);
        // A subflow that has ended since is left out.
        let bytes = subflows::get_raw_option(&sock, subflow.id, 6, 11, length);
        if let Ok(subflows::OptionValue::Bytes(bytes)) = bytes {
            info.subflows.push(bytes);
            info.addresses.push(sub_info(subflow.local, subflow.remote));
        }
    }
    let last = |time: Option<u32>, of: fn(&subflows::Subflow) -> u32| {
        time.or_else(|| listed.iter().map(of).min()).unwrap_or(0)
    };
    // state, retransmits, probes and backoff; rto and unacked; last_data_sent, last_data_recv, last_ack_recv and
    // total_retrans; bytes_acked and bytes_received.
    info.meta[0] = 1;
    info.meta[1] = connection.retransmits.unwrap_or(0).min(255) as u8;
    let words = [
        listed.iter().map(|subflow| subflow.rto_us).max().unwrap_or(0),
        listed.iter().map(|subflow| subflow.segments_unacknowledged).sum(),
        last(connection.last_data_sent_ms, |subflow| subflow.last_data_sent_ms),
        last(connection.last_data_received_ms, |subflow| subflow.last_data_received_ms),
        last(connection.last_acknowledgement_ms, |subflow| subflow.last_acknowledgement_ms),
        listed.iter().map(|subflow| subflow.segments_retransmitted).sum(),
    ];
    for (place, word) in words.iter().enumerate() {
        info.meta[4 + 4 * place..][..4].copy_from_slice(&word.to_ne_bytes());
    }
    let sum = |of: fn(&subflows::Subflow) -> u64| listed.iter().map(of).sum();
    let totals = [
        connection.bytes_acknowledged.unwrap_or_else(|| sum(|one| one.bytes_acknowledged)),
        connection.bytes_received.unwrap_or_else(|| sum(|one| one.bytes_received)),
    ];
    for (place, total) in totals.iter().enumerate() {
        info.meta[32 + 8 * place..][..8].copy_from_slice(&total.to_ne_bytes());
    }
    Ok(info)
}

fn status(sock: BorrowedFd<'_>) -> Result<Status, Errno> {
    subflows::status(&sock).map_err(|_| NOT_MPTCP)
}

/// Whether the socket uses Multipath TCP, or will ask for it.
fn is_mptcp(status: &Status) -> bool {
    ![State::Tcp, State::FellBack, State::Closed].contains(&status.state)
}

/// The scheduler of this namespace.
fn scheduler() -> String {
    let read = fs::read_to_string("/proc/sys/net/mptcp/scheduler");
    read.map_or_else(|_| OF_PROGRAM.to_owned(), |name| name.trim_end().to_owned())
}

/// The name in a buffer, which a zero may end.
fn name(value: &[u8]) -> &str {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).unwrap_or("")
}

fn copy_name(name: &str, value: &mut [u8]) -> Result<usize, Errno> {
    let mut bytes = [0; NAME_MAX];
    let length = name.len().min(NAME_MAX - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    copy(&bytes, value)
}

/// As getsockopt(2) does: as much as there is room for.
fn copy(bytes: &[u8], value: &mut [u8]) -> Result<usize, Errno> {
    let length = bytes.len().min(value.len());
    value[..length].copy_from_slice(&bytes[..length]);
    Ok(length)
}
