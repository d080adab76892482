//! `getsockopt(SOL_MPTCP)`: the state of a connection and of its subflows, without any privilege.
//!
//! Source: `net/mptcp/sockopt.c`.

use std::io;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;

use super::uapi::{self, mptcp_full_info, mptcp_info, mptcp_subflow_info, tcp_info};
use super::{address, plain, socket};

/// The most subflows that are read. Linux has 256 address ids, but does not limit subflows.
pub(super) const MAX_SUBFLOWS: usize = 65_536;
/// How many subflows the first system call has room for.
pub(super) const USUAL_SUBFLOWS: usize = 8;

/// `mptcp_info`, and how much of it this kernel wrote.
#[derive(Clone, Copy, Default)]
pub(crate) struct RawInfo {
    pub(crate) raw: mptcp_info,
    length: usize,
}

impl RawInfo {
    /// Returns a field's value, or `None` if this kernel's `mptcp_info` ends before the field.
    pub(crate) fn since<T>(&self, offset: usize, value: T) -> Option<T> {
        (offset + size_of::<T>() <= self.length).then_some(value)
    }

    /// Reports whether the connection has fallen back to TCP.
    pub(crate) fn is_fallen_back(&self) -> bool {
        /// `MPTCP_INFO_FLAG_FALLBACK`.
        const FLAG_FALLBACK: u32 = 1;
        self.raw.mptcpi_flags & FLAG_FALLBACK != 0
    }

    /// Reads the structure from a message of `sock_diag`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut raw = mptcp_info::default();
        plain::read_prefix(bytes, &mut raw);
        RawInfo { raw, length: bytes.len() }
    }
}

/// Reads `MPTCP_INFO` (Linux 5.16).
pub(crate) fn info(sock: BorrowedFd<'_>) -> io::Result<RawInfo> {
    let mut raw = mptcp_info::default();
    let length = socket::get(sock, uapi::SOL_MPTCP, uapi::MPTCP_INFO, &mut raw)?;
    Ok(RawInfo { raw, length })
}

/// Reports whether this kernel has `MPTCP_INFO`, by asking for that of a new socket. If no Multipath
/// TCP socket can be made, the answer is yes. One success is enough.
pub(crate) fn has_info() -> bool {
    static ANSWERED: OnceLock<()> = OnceLock::new();
    if ANSWERED.get().is_some() {
        return true;
    }
    let Ok(fresh) = socket::new(libc::AF_INET, libc::SOCK_STREAM, socket::MPTCP) else {
        return true;
    };
    info(fresh.as_fd()).map(|_| *ANSWERED.get_or_init(|| ())).is_ok()
}

/// Reads `MPTCP_INFO` and the number of subflows in the kernel's list, closed ones included, by one
/// call of `MPTCP_FULL_INFO` (Linux 6.5).
pub(crate) fn info_and_count(sock: BorrowedFd<'_>) -> io::Result<(RawInfo, u32)> {
    let (full, length) = full_info_call(sock, &mut [], &mut [], size_of::<mptcp_full_info>())?;
    let length = length.saturating_sub(offset_of!(mptcp_full_info, mptcp_info));
    Ok((RawInfo { raw: full.mptcp_info, length }, full.num_subflows))
}

/// One subflow as the kernel describes it.
pub(crate) struct RawSubflow<'a> {
    pub(crate) id: u32,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) tcp: &'a tcp_info,
}

/// Calls `each` with each subflow that is not closed, by `MPTCP_FULL_INFO` (Linux 6.5). `reserve`
/// makes the value that `each` fills, for at most as many subflows as it is passed.
pub(crate) fn full_info<T>(
    sock: BorrowedFd<'_>,
    reserve: impl FnOnce(usize) -> T,
    each: impl FnMut(&mut T, RawSubflow<'_>),
) -> io::Result<T> {
    let mut infos = [const { MaybeUninit::<mptcp_subflow_info>::uninit() }; USUAL_SUBFLOWS];
    let mut tcps = [const { MaybeUninit::<tcp_info>::uninit() }; USUAL_SUBFLOWS];
    let mut total = match read_full_info(sock, &mut infos, &mut tcps)? {
        FullInfo::All(infos, tcps) => return Ok(gather(infos, tcps, reserve(infos.len()), each)),
        FullInfo::More(total) => total,
    };
    while total < MAX_SUBFLOWS {
        // A few more may be opened between the two calls.
        let capacity = total + 4;
        let mut infos = vec![MaybeUninit::uninit(); capacity];
        let mut tcps = vec![MaybeUninit::uninit(); capacity];
        match read_full_info(sock, &mut infos, &mut tcps)? {
            FullInfo::All(infos, tcps) => {
                return Ok(gather(infos, tcps, reserve(infos.len()), each));
            }
            FullInfo::More(more) => total = more,
        }
    }
    Err(io::Error::from_raw_os_error(libc::EOVERFLOW))
}

enum FullInfo<'a> {
    /// Every subflow of the kernel's list, in the same order in both arrays.
    All(&'a [mptcp_subflow_info], &'a [tcp_info]),
    /// There was not enough room: there are that many.
    More(usize),
}

/// Reads the kernel's list of subflows into two arrays.
fn read_full_info<'a>(
    sock: BorrowedFd<'_>,
    infos: &'a mut [MaybeUninit<mptcp_subflow_info>],
    tcps: &'a mut [MaybeUninit<tcp_info>],
) -> io::Result<FullInfo<'a>> {
    let (first, tcps, total) = read_first(sock, infos, tcps)?;
    if total > first.len() {
        return Ok(FullInfo::More(total));
    }
    Ok(FullInfo::All(first, tcps))
}

/// Reads the first entries of the kernel's list, as far as there is room, and how many it has.
fn read_first<'a>(
    sock: BorrowedFd<'_>,
    infos: &'a mut [MaybeUninit<mptcp_subflow_info>],
    tcps: &'a mut [MaybeUninit<tcp_info>],
) -> io::Result<(&'a [mptcp_subflow_info], &'a [tcp_info], usize)> {
    // Without the structure's last member, which is not needed here.
    let length = offset_of!(mptcp_full_info, mptcp_info);
    let (full, _) = full_info_call(sock, infos, tcps, length)?;
    // A kernel whose structures are shorter than these would write them closer together, and the
    // wrong bytes would be read. No such kernel is known: both structures have only ever grown.
    if full.size_tcpinfo_user as usize != size_of::<tcp_info>()
        || full.size_sfinfo_user as usize != size_of::<mptcp_subflow_info>()
    {
        return Err(io::Error::from_raw_os_error(libc::EBADMSG));
    }
    let total = full.num_subflows as usize;
    let read = total.min(infos.len()).min(tcps.len());
    // SAFETY: the kernel reported that many subflows, there was room for these, and it wrote each in
    // full: the sizes that it returned are the ones passed.
    let infos = unsafe { std::slice::from_raw_parts(infos.as_ptr().cast(), read) };
    // SAFETY: as above.
    let tcps = unsafe { std::slice::from_raw_parts(tcps.as_ptr().cast(), read) };
    Ok((infos, tcps, total))
}

/// Room for a list of subflows, which a small stack does not have.
#[derive(Debug)]
pub struct Scratch {
    infos: [MaybeUninit<mptcp_subflow_info>; USUAL_SUBFLOWS],
    tcps: [MaybeUninit<tcp_info>; USUAL_SUBFLOWS],
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch {
            infos: [const { MaybeUninit::uninit() }; USUAL_SUBFLOWS],
            tcps: [const { MaybeUninit::uninit() }; USUAL_SUBFLOWS],
        }
    }
}

/// Calls `each` with each of the first subflows, and returns how many subflows the kernel's list has. That includes
/// those that have ended, as long as the kernel has not removed them.
pub(crate) fn first_subflows(
    sock: BorrowedFd<'_>,
    scratch: &mut Scratch,
    mut each: impl FnMut(RawSubflow<'_>),
) -> io::Result<usize> {
    let (infos, tcps, total) = read_first(sock, &mut scratch.infos, &mut scratch.tcps)?;
    for (info, tcp) in infos.iter().zip(tcps) {
        let ends = [&info.addrs.local, &info.addrs.remote].map(|end| address::parse(&end.0));
        if let [Some(local), Some(remote)] = ends {
            each(RawSubflow { id: info.id, local, remote, tcp });
        }
    }
    Ok(total)
}

/// Calls `MPTCP_FULL_INFO` with room for as many subflows as both arrays have. Returns the answer
/// and its length.
fn full_info_call(
    sock: BorrowedFd<'_>,
    infos: &mut [MaybeUninit<mptcp_subflow_info>],
    tcps: &mut [MaybeUninit<tcp_info>],
    length: usize,
) -> io::Result<(mptcp_full_info, usize)> {
    let room = infos.len().min(tcps.len());
    let size = |size: usize| if room == 0 { 0 } else { size as u32 };
    let mut full = mptcp_full_info {
        size_tcpinfo_user: size(size_of::<tcp_info>()),
        size_sfinfo_user: size(size_of::<mptcp_subflow_info>()),
        size_arrays_user: room as u32,
        subflow_info: infos.as_mut_ptr() as u64,
        tcp_info: tcps.as_mut_ptr() as u64,
        ..Default::default()
    };
    let mut length = length.min(size_of::<mptcp_full_info>()) as libc::socklen_t;
    let pointer: *mut mptcp_full_info = &mut full;
    // SAFETY: `length` is at most the size of `full`; the two arrays that it points to are borrowed
    // mutably and `room` elements long, and the kernel writes no more than that into them.
    let result = unsafe {
        libc::getsockopt(
            sock.as_raw_fd(),
            uapi::SOL_MPTCP,
            uapi::MPTCP_FULL_INFO,
            pointer.cast(),
            &mut length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok((full, length as usize)) }
}

/// Calls `each` with each live subflow.
fn gather<T>(
    infos: &[mptcp_subflow_info],
    tcps: &[tcp_info],
    mut gathered: T,
    mut each: impl FnMut(&mut T, RawSubflow<'_>),
) -> T {
    for (info, tcp) in infos.iter().zip(tcps) {
        let local = address::parse(&info.addrs.local.0);
        let remote = address::parse(&info.addrs.remote.0);
        if let (Some(local), Some(remote)) = (local, remote) {
            if is_live(tcp.tcpi_state) && !local.ip().is_unspecified() {
                each(&mut gathered, RawSubflow { id: info.id, local, remote, tcp });
            }
        }
    }
    gathered
}

/// Reports whether a subflow in that TCP state is live.
///
/// The kernel's list is longer. The initial subflow stays in it after this end has closed it: until
/// the peer has acknowledged that (over a dead path, never), and then as a closed one. A listener
/// and a bound socket are in the list as well.
pub(crate) fn is_live(state: u8) -> bool {
    matches!(
        state,
        uapi::TCP_ESTABLISHED | uapi::TCP_SYN_SENT | uapi::TCP_SYN_RECV | uapi::TCP_CLOSE_WAIT
    )
}

/// Reports whether an IPv6 address can be announced with a port. A segment has no room for it
/// together with TCP timestamps: the kernel then announces nothing, and reports no error. Newer
/// kernels have a setting that leaves the timestamps out (`mptcp_pm_add_addr_signal` in
/// `net/mptcp/pm.c`).
pub(crate) fn can_announce_v6_port(sock: BorrowedFd<'_>) -> bool {
    let setting = std::fs::read("/proc/sys/net/mptcp/add_addr_v6_port_drop_ts");
    let mut tcp = tcp_info::default();
    setting.is_ok_and(|value| value.trim_ascii() == b"1")
        || socket::get(sock, libc::IPPROTO_TCP, libc::TCP_INFO, &mut tcp).is_ok_and(|_| {
            // The initial subflow answers. Once it is closed, it no longer has the flag.
            is_live(tcp.tcpi_state) && tcp.tcpi_options & uapi::TCPI_OPT_TIMESTAMPS == 0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn random_bytes_are_fields_or_absent(bytes: Vec<u8>) {
            let info = RawInfo::from_bytes(&bytes);
            let offset = offset_of!(mptcp_info, mptcpi_subflows_total);
            let total = info.since(offset, info.raw.mptcpi_subflows_total);
            proptest::prop_assert_eq!(total, bytes.get(offset).copied());
        }
    }
}
