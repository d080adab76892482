//! The subflows of a connection: list them, close one.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::door::door;
use crate::error::{Error, ErrorKind, Result};
use crate::leg;
use crate::state::{explain, no_such_subflow, says_not_mptcp, unasked};
use crate::sys::cache::Unasked;
use crate::sys::mptcp::{self, RawSubflow};
use crate::sys::uapi::tcp_info;
use crate::table::{Ty, Typed, enumeration, operation, record};

enumeration! {
    /// The TCP state of a subflow; numbers as in the kernel.
    pub enum SubflowState {
        /// A state that this library does not know.
        Unknown = 0,
        /// Open.
        Established = 1,
        /// We sent the first segment.
        SynSent = 2,
        /// The peer sent the first segment.
        SynReceived = 3,
        /// We closed; the peer has not acknowledged it.
        FinWait1 = 4,
        /// We closed; the peer acknowledged it.
        FinWait2 = 5,
        /// Closed by both; strays are awaited.
        TimeWait = 6,
        /// Closed.
        Close = 7,
        /// The peer closed.
        CloseWait = 8,
        /// The peer closed, then we did.
        LastAck = 9,
        /// Both closed at once.
        Closing = 11,
    }
}

impl SubflowState {
    pub(crate) fn from_kernel(state: u8) -> SubflowState {
        match state {
            1 => SubflowState::Established,
            2 => SubflowState::SynSent,
            3 | 12 => SubflowState::SynReceived,
            4 => SubflowState::FinWait1,
            5 => SubflowState::FinWait2,
            6 => SubflowState::TimeWait,
            7 => SubflowState::Close,
            8 => SubflowState::CloseWait,
            9 => SubflowState::LastAck,
            11 => SubflowState::Closing,
            _ => SubflowState::Unknown,
        }
    }
}

record! {
    /// One live subflow of a connection: one path, and how it fares.
    pub struct Subflow {
        /// Names the subflow on this end while the connection lives; the initial one is 1 on
        /// Linux 6.5 and newer. Never used twice, and not the address id of RFC 8684.
        id: u32,
        /// The local end. IPv4 on an IPv6 socket is given as IPv4.
        local: SocketAddr,
        /// The remote end.
        remote: SocketAddr,
        /// The TCP state.
        state: SubflowState,
        /// Smoothed round-trip time.
        rtt_us: u32 [Microseconds],
        /// Mean deviation of the round-trip time.
        rtt_deviation_us: u32 [Microseconds],
        /// Least round-trip time seen lately.
        rtt_min_us: u32 [Microseconds],
        /// Retransmission timeout.
        rto_us: u32 [Microseconds],
        /// Congestion window.
        congestion_window: u32 [Segments],
        /// Slow start threshold.
        slow_start_threshold: u32 [Segments],
        /// The most data in one segment that we send.
        segment_size: u32 [Bytes],
        /// The rate at which data is paced out; absent where nothing limits it.
        pacing_rate: Option<u64> [BytesPerSecond],
        /// The rate at which data was lately delivered.
        delivery_rate: u64 [BytesPerSecond],
        /// Data sent, sent again included.
        bytes_sent: u64 [Bytes],
        /// Data that the peer acknowledged.
        bytes_acknowledged: u64 [Bytes],
        /// Data received.
        bytes_received: u64 [Bytes],
        /// Data sent again.
        bytes_retransmitted: u64 [Bytes],
        /// Data written and not yet sent.
        bytes_not_sent: u32 [Bytes],
        /// Segments sent.
        segments_sent: u32 [Segments],
        /// Segments received.
        segments_received: u32 [Segments],
        /// Segments sent again since the subflow was opened.
        segments_retransmitted: u32 [Segments],
        /// Segments sent and not yet acknowledged.
        segments_unacknowledged: u32 [Segments],
        /// Segments thought lost.
        segments_lost: u32 [Segments],
        /// Timeouts in a row for the oldest unacknowledged segment.
        retransmits: u8,
        /// Time since data was last sent.
        last_data_sent_ms: u32 [Milliseconds],
        /// Time since data was last received.
        last_data_received_ms: u32 [Milliseconds],
        /// Time since an acknowledgement was last received.
        last_acknowledgement_ms: u32 [Milliseconds],
        /// Time spent sending, since the subflow was opened.
        busy_us: u64 [Microseconds],
    }
}

fn from_raw(id: u32, local: SocketAddr, remote: SocketAddr, tcp: &tcp_info) -> Subflow {
    Subflow {
        id,
        local,
        remote,
        state: SubflowState::from_kernel(tcp.tcpi_state),
        rtt_us: tcp.tcpi_rtt,
        rtt_deviation_us: tcp.tcpi_rttvar,
        // The kernel says "none yet" by the greatest number, for both of these.
        rtt_min_us: if tcp.tcpi_min_rtt == u32::MAX { tcp.tcpi_rtt } else { tcp.tcpi_min_rtt },
        rto_us: tcp.tcpi_rto,
        congestion_window: tcp.tcpi_snd_cwnd,
        slow_start_threshold: tcp.tcpi_snd_ssthresh,
        segment_size: tcp.tcpi_snd_mss,
        pacing_rate: Some(tcp.tcpi_pacing_rate).filter(|rate| *rate != u64::MAX),
        delivery_rate: tcp.tcpi_delivery_rate,
        bytes_sent: tcp.tcpi_bytes_sent,
        bytes_acknowledged: tcp.tcpi_bytes_acked,
        bytes_received: tcp.tcpi_bytes_received,
        bytes_retransmitted: tcp.tcpi_bytes_retrans,
        bytes_not_sent: tcp.tcpi_notsent_bytes,
        segments_sent: tcp.tcpi_segs_out,
        segments_received: tcp.tcpi_segs_in,
        segments_retransmitted: tcp.tcpi_total_retrans,
        segments_unacknowledged: tcp.tcpi_unacked,
        segments_lost: tcp.tcpi_lost,
        retransmits: tcp.tcpi_retransmits,
        last_data_sent_ms: tcp.tcpi_last_data_sent,
        last_data_received_ms: tcp.tcpi_last_data_recv,
        last_acknowledgement_ms: tcp.tcpi_last_ack_recv,
        busy_us: tcp.tcpi_busy_time,
    }
}

operation! {
    /// Lists the live subflows of a connection, in the order in which they were opened.
    ///
    /// A subflow that is being opened is listed with the state `SynSent`; closed ones are not
    /// listed, not even the initial one, which the kernel keeps. Without a connection the list is
    /// empty. One system call and one allocation. Needs no privilege; Linux 5.16 (on kernels
    /// before 6.5 from several calls).
    ///
    /// # Errors
    /// `NotMptcp` for plain TCP and after fallback; `InvalidArgument` for what is no stream socket;
    /// before Linux 6.5 `OtherNamespace` from another network namespace.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// for path in subflows::list(&client)? {
    ///     println!("{} {} -> {} {} us", path.id, path.local, path.remote, path.rtt_us);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_GET_SUB_IDS")]
    #[doc(alias = "MPTCP_GET_SUB_TUPLE")]
    row LIST(sock: Ty::Socket) -> Ty::List(&Subflow::TY), Nothing, [NotMptcp OtherNamespace];
    pub fn list(sock: &impl AsFd) -> Result<Vec<Subflow>> {
        list_fd(sock.as_fd(), "list")
    }
}

pub(crate) fn list_fd(sock: BorrowedFd<'_>, operation: &'static str) -> Result<Vec<Subflow>> {
    let mut subflows = if mptcp::has_full_info() {
        let push = |list: &mut Vec<Subflow>, raw: RawSubflow<'_>| {
            list.push(from_raw(raw.id, raw.local, raw.remote, raw.tcp));
        };
        match mptcp::full_info(sock, Vec::with_capacity, push) {
            Ok(subflows) => subflows,
            // Before Linux 6.5 the option is unknown, which is the same error as "not Multipath
            // TCP": the older way then tells the two apart.
            Err(error) if says_not_mptcp(&error) => list_by_cookie(sock, operation)?,
            Err(error) => return Err(explain(sock, operation, &error)),
        }
    } else {
        list_by_cookie(sock, operation)?
    };
    // The initial subflow of a connection that is being set up is not one yet.
    if let [only] = &subflows[..] {
        if only.state == SubflowState::SynSent && only.bytes_sent == 0 && is_initial(sock) {
            subflows.clear();
        }
    }
    Ok(subflows)
}

/// Whether the connection itself is still being set up: then the peer's key is not known.
fn is_initial(sock: BorrowedFd<'_>) -> bool {
    mptcp::info(sock).is_ok_and(|info| info.raw.mptcpi_rcv_nxt == 0)
}

/// As kernels before 6.5 have to be asked: they give no id, so that the low half of the cookie by
/// which `sock_diag` names the subflow's socket serves as one.
fn list_by_cookie(sock: BorrowedFd<'_>, operation: &'static str) -> Result<Vec<Subflow>> {
    let raw =
        mptcp::addresses_and_counters(sock).map_err(|error| explain(sock, operation, &error))?;
    let info = mptcp::info(sock).map_err(|error| explain(sock, operation, &error))?;
    let token = info.raw.mptcpi_token;
    let mut subflows = Vec::with_capacity(raw.len());
    for (local, remote, tcp) in raw {
        match leg::find(sock, token, (local, remote), leg::Depth::Shallow) {
            Ok(leg) => subflows.push(from_raw(leg.head.cookie as u32, local, remote, &tcp)),
            // One that sock_diag no longer knows was closed in between.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(unasked(operation, error)),
        }
    }
    Ok(subflows)
}

/// The live subflow with that id, or why there is none.
pub(crate) fn find(sock: BorrowedFd<'_>, id: u32, operation: &'static str) -> Result<Subflow> {
    list_fd(sock, operation)?
        .into_iter()
        .find(|subflow| subflow.id == id)
        .ok_or_else(|| no_such_subflow(sock, operation, id))
}

operation! {
    /// Closes one subflow and leaves the connection open.
    ///
    /// Data that was on its way there is sent again on the others. Works for the initial subflow,
    /// for one that is still being opened, and also for connections under the kernel's path
    /// manager, where the peer sees a reset. When it returns, `list` no longer shows the subflow.
    /// Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// - `NoSuchSubflow` where no live subflow has that id, also after it was closed once.
    /// - `InvalidState` for the last subflow that works, also while another one is still being
    ///   joined: see [`force_close`]. Two threads that each close one of two subflows at the same
    ///   time are not held up: the kernel has no such check.
    /// - `Closed` where the connection is over; `NotMptcp` for plain TCP and after fallback.
    /// - `NotPermitted` without the right; `OtherNamespace` from another network namespace.
    /// - `Unsupported` for a connection under the kernel's path manager on a kernel without
    ///   `CONFIG_INET_DIAG_DESTROY`.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let paths = subflows::list(&stream)?;
    /// if let [initial, _second, ..] = &paths[..] {
    ///     subflows::close(&stream, initial.id)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_CLOSE_SUB_ID")]
    row CLOSE(sock: Ty::Socket, id: Ty::U32, force: Ty::Bool) -> Ty::Unit, NetAdmin,
        [NoSuchSubflow InvalidState Closed NotMptcp NotPermitted OtherNamespace Unsupported];
    pub fn close(sock: &impl AsFd, id: u32) -> Result<()> {
        close_fd(sock.as_fd(), id, false)
    }
}

/// Closes one subflow as [`close`] does, even if it is the last one that works.
///
/// The connection then has no path: unless another subflow is opened, it dies after
/// `net.mptcp.close_timeout`. In other languages this is `close` with `force`.
///
/// # Errors
/// As [`close`], without `InvalidState`.
pub fn force_close(sock: &impl AsFd, id: u32) -> Result<()> {
    close_fd(sock.as_fd(), id, true)
}

fn close_fd(sock: BorrowedFd<'_>, id: u32, force: bool) -> Result<()> {
    const OPERATION: &str = "close";
    let subflows = list_fd(sock, OPERATION)?;
    let Some(subflow) = subflows.iter().find(|subflow| subflow.id == id) else {
        return Err(no_such_subflow(sock, OPERATION, id));
    };
    let info = mptcp::info(sock).map_err(|error| explain(sock, OPERATION, &error))?;
    let token = info.raw.mptcpi_token;
    // A subflow that is still being opened, or that the peer has closed, carries nothing.
    let is_other = |other: &&Subflow| other.id != id && other.state == SubflowState::Established;
    let others: Vec<&Subflow> = subflows.iter().filter(is_other).collect();
    let is_last = match is_any_joined(sock, token, &others, subflow) {
        Ok(is_any) => !is_any,
        // Force needs no more than the TCP state.
        Err(_) if force => others.is_empty(),
        Err(error) => return Err(unasked(OPERATION, error)),
    };
    if is_last && !force {
        return Err(Error::new(ErrorKind::InvalidState, OPERATION)
            .detail(match others.is_empty() {
                true => "this is the connection's last subflow",
                false => "this is the last subflow that works: no other has been joined yet",
            })
            .with_remedy("Close the socket, open another subflow first, or force it."));
    }
    let controlled = crate::manager::path_manager(sock, &info) != crate::PathManager::Kernel;
    // If the path manager destroys the last subflow that works, the connection never ends, although
    // nothing is left of it. After an abort it times out as its peer does.
    if controlled && !is_last {
        match door().destroy(sock, token, subflow.local, subflow.remote) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            other => return closed(sock, id, other.map_err(|error| error.during(OPERATION))),
        }
    }
    let ends = (subflow.local, subflow.remote);
    let leg = leg::find(sock, token, ends, leg::Depth::Shallow);
    let leg = leg.map_err(|error| match unasked(OPERATION, error) {
        gone if gone.raw_os_error() == Some(libc::ENOENT) => no_such_subflow(sock, OPERATION, id),
        other => other,
    })?;
    closed(sock, id, door().abort(sock, &leg.head).map_err(|error| error.during(OPERATION)))
}

/// Whether one of these subflows, which are established, is joined as well: until then the peer may
/// take it back. `known` is another subflow of the connection.
fn is_any_joined(
    sock: BorrowedFd<'_>,
    token: u32,
    established: &[&Subflow],
    known: &Subflow,
) -> std::result::Result<bool, Unasked> {
    let mut has_table = established.is_empty();
    for subflow in established.iter().chain([&known]) {
        if has_table && subflow.id == known.id {
            break;
        }
        let ends = (subflow.local, subflow.remote);
        match leg::find(sock, token, ends, leg::Depth::Shallow) {
            Ok(leg) if leg.is_joined() && subflow.id != known.id => return Ok(true),
            Ok(_) => has_table = true,
            // It was closed meanwhile.
            Err(error) if error.is(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    // A kernel without tcp_diag finds no subflow at all. The TCP state is then all that is known.
    Ok(!has_table)
}

/// What the kernel said when the subflow was gone already becomes our words for it.
fn closed(sock: BorrowedFd<'_>, id: u32, result: Result<()>) -> Result<()> {
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => no_such_subflow(sock, "close", id),
        _ => error,
    })
}
