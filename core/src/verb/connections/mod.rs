//! The Multipath TCP connections of the network namespace.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use crate::cause;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::details::{self, Details, Host};
use crate::shared::diag_subflow::{self, Depth, DiagSubflow, Found, HIDDEN};
use crate::shared::info::{self, Info};
use crate::shared::socket_state;
use crate::shared::subflow_state::SubflowState;
use crate::sys::cache;
use crate::sys::interface_addresses::AddressQuery;
use crate::sys::netlink::NetlinkError;
use crate::sys::sock_diag::{RawConnection, SockDiag};
use crate::table::{Type, Typed, operation, options, record};

mod processes;

pub use processes::ProcessInfo;

record! {
    /// A Multipath TCP connection of the network namespace, of any process.
    pub struct Connection {
        /// The local token, by which `ss -M` and the kernel's events identify it.
        token: u32,
        /// The state of the connection as a whole.
        state: SubflowState,
        /// The local end of the initial subflow.
        local: SocketAddr,
        /// The remote end of the initial subflow.
        remote: SocketAddr,
        /// The inode of its socket, as in /proc/PID/fd; 0 if no process holds the socket any more.
        inode: u32,
        /// The id of the user who created the socket.
        uid: u32,
        /// Data received and not yet read.
        receive_queue: u32 [Bytes],
        /// Data written and not yet acknowledged.
        send_queue: u32 [Bytes],
        /// The counters of the connection.
        info: Info,
        /// Its subflows; empty unless `ConnectionsOptions::subflows` is set.
        subflows: Vec<Details>,
        /// Whether the connection fell back to plain TCP: it has one path, and no further one can be
        /// opened.
        is_fallen_back: bool,
        /// The processes that hold its socket, as far as this process may inspect them; empty unless
        /// `ConnectionsOptions::processes` is set.
        processes: Vec<ProcessInfo>,
    }
}

fn from_raw(raw: &RawConnection) -> Connection {
    Connection {
        token: raw.info.raw.mptcpi_token,
        state: SubflowState::from_kernel(raw.head.state),
        local: raw.head.local,
        remote: raw.head.remote,
        inode: raw.head.inode,
        uid: raw.head.uid,
        receive_queue: raw.head.receive_queue,
        send_queue: raw.head.send_queue,
        info: info::from_raw(&raw.info, info::subflows_total(&raw.info)),
        subflows: Vec::new(),
        is_fallen_back: raw.info.raw.mptcpi_flags & info::FLAG_FALLBACK != 0,
        processes: Vec::new(),
    }
}

options! {
    /// Options of `connections`.
    pub struct ConnectionsOptions {
        optional {}
        default {
            /// Whether to list the subflows of each connection as well. This takes several times as
            /// long, because the kernel then lists every TCP socket of the namespace.
            subflows: bool = false,
            /// Whether to find out which processes hold each connection's socket, in /proc. This takes
            /// longer the more descriptors the processes of this host have. Without root, only processes of the
            /// same user are found.
            processes: bool = false,
        }
    }
}

operation! {
    /// Lists every Multipath TCP connection of the calling thread's network namespace, on request
    /// with its subflows and the processes that hold it.
    ///
    /// The connections are in the kernel's order. The list is not a snapshot: a connection that opens
    /// or closes during the call may be in it or not.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no `mptcp_diag`. A container may not load modules: load it on
    /// the host. `NotPermitted` without `CAP_NET_ADMIN` if subflows are asked for before Linux 6.15,
    /// which hides them.
    ///
    /// ```
    /// use subflows::ConnectionsOptions;
    ///
    /// for connection in subflows::connections(&ConnectionsOptions::new().subflows(true))? {
    ///     println!("{:08x}: {} subflows", connection.token, connection.subflows.len());
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row CONNECTIONS(options: ConnectionsOptions::TYPE) -> Type::List(&Connection::TYPE),
        requires Nothing,
        since "5.9" with "the module `mptcp_diag`, and `tcp_diag` if subflows are asked for",
        [Unsupported NotPermitted];
    pub fn connections(options: &ConnectionsOptions) -> Result<Vec<Connection>> {
        connections_with(options, SubflowList::read)
    }
}

/// The subflows of a network namespace, by the tokens of their connections.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct SubflowList(HashMap<u32, Vec<Details>>);

impl SubflowList {
    /// Lists the subflows of the calling thread's network namespace.
    ///
    /// # Errors
    /// As [`connections`].
    pub fn read() -> Result<SubflowList> {
        let listed = SockDiag::open().and_then(|mut diag| SubflowList::dump(&mut diag));
        listed.map_err(|refusal| refused("connections", refusal))
    }

    fn dump(diag: &mut SockDiag) -> std::result::Result<SubflowList, NetlinkError> {
        let mut list = SubflowList::default();
        diag.subflows(|entry| list.add(entry))?;
        Ok(list)
    }

    fn add(&mut self, entry: &DiagSubflow) {
        let subflows = self.0.entry(entry.token).or_default();
        // Most connections have one, and the list would begin with room for four.
        if subflows.is_empty() {
            subflows.reserve_exact(1);
        }
        subflows.push(details::from_raw(entry));
    }
}

/// As [`connections`], for a caller that reads the subflows by itself: `subflows` is called after the connections
/// have been listed, unless no subflows are asked for. With a second thread, the kernel lists both at the same time.
///
/// # Errors
/// As [`connections`].
#[doc(hidden)]
pub fn connections_with(
    options: &ConnectionsOptions,
    subflows: impl FnOnce() -> Result<SubflowList>,
) -> Result<Vec<Connection>> {
    let refused = |refusal: NetlinkError| refused("connections", refusal);
    let mut diag = SockDiag::open().map_err(refused)?;
    let mut connections = Vec::new();
    diag.connections(|raw| connections.push(from_raw(raw))).map_err(refused)?;
    if options.subflows {
        let list = subflows()?;
        join(&mut diag, &mut connections, list).map_err(refused)?;
    }
    if options.processes {
        join_processes(&mut connections);
    }
    Ok(connections)
}

/// Adds to each connection its subflows.
fn join(
    diag: &mut SockDiag,
    connections: &mut [Connection],
    mut list: SubflowList,
) -> std::result::Result<(), NetlinkError> {
    if list.0.is_empty() {
        prove_shown(diag, connections)?;
    }
    for connection in connections.iter_mut() {
        // One that has begun after its subflows were listed still has the initial one.
        if !list.0.contains_key(&connection.token) {
            match diag.tcp_socket(connection.local, connection.remote, 0, Depth::Deep) {
                Ok(Found::Subflow(entry)) if entry.token == connection.token => list.add(&entry),
                Err(refusal) if refusal.errno != libc::ENOENT => return Err(refusal),
                // It has ended, or is bound to an interface and thus not found by its ends.
                _ => {}
            }
        }
        connection.subflows = list.0.remove(&connection.token).unwrap_or_default();
    }
    let owners = owners()?;
    let mut host = Host::new(diag.as_fd());
    for subflow in connections.iter_mut().flat_map(|found| &mut found.subflows) {
        let owners = owners.get(&subflow.local.ip()).map_or(&[][..], |owners| owners);
        subflow.complete(&mut host, owners);
    }
    Ok(())
}

/// Fails with [`HIDDEN`] if the kernel hides from this process that a socket is a subflow of one of these
/// connections.
fn prove_shown(
    diag: &mut SockDiag,
    connections: &[Connection],
) -> std::result::Result<(), NetlinkError> {
    // A live socket with the ends of a connection is its initial subflow.
    let ends: HashSet<_> = connections.iter().map(|found| (found.local, found.remote)).collect();
    let (mut is_shown, mut hidden) = (false, None);
    if ends.is_empty() {
        return Ok(());
    }
    diag.tcp_sockets(|found| match found {
        Found::Subflow(_) => is_shown = true,
        Found::Other { head, .. } => {
            if diag_subflow::is_hidden(found) && ends.contains(&(head.local, head.remote)) {
                hidden = Some(head.clone());
            }
        }
    })?;
    if let Some(head) = hidden.filter(|_| !is_shown) {
        // Asked again alone, it may turn out to have ended.
        let found = diag.tcp_socket(head.local, head.remote, head.interface, Depth::Shallow);
        if found.is_ok_and(|found| diag_subflow::is_hidden(&found)) {
            return Err(NetlinkError::new(HIDDEN));
        }
    }
    Ok(())
}

/// Adds to each connection the processes that hold its socket.
fn join_processes(connections: &mut [Connection]) {
    // A connection without a socket has the inode 0.
    let inodes = connections.iter().enumerate().map(|(place, found)| (found.inode, place));
    let inodes = inodes.filter(|(inode, _)| *inode != 0).collect();
    processes::holders(&inodes, |place, process| {
        let held_by = &mut connections[place].processes;
        // One process may have several descriptors of the socket.
        if held_by.last() != Some(process) {
            held_by.push(process.clone());
        }
    });
}

/// Returns the interfaces that own each address of this host.
fn owners() -> std::result::Result<HashMap<IpAddr, Vec<u32>>, NetlinkError> {
    let mut addresses = AddressQuery::open()?;
    let mut owners = HashMap::<IpAddr, Vec<u32>>::new();
    for like in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
        for owned in addresses.list(like, 0)? {
            owners.entry(owned.ip).or_default().push(owned.interface);
        }
    }
    Ok(owners)
}

operation! {
    /// Looks up one connection of the calling thread's network namespace by its local token, in
    /// constant time, without its subflows.
    ///
    /// Tokens are unique on a host. In a thread that has moved to another network namespace, the call
    /// may still find a connection of the namespace that the thread has left.
    ///
    /// # Errors
    /// `Closed` if no connection has that token; `Unsupported` if the kernel has no `mptcp_diag`.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// let token = subflows::status(&client)?.token.expect("connected");
    /// assert_eq!(subflows::connection(token)?.local, client.local_addr()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row CONNECTION(token: Type::U32) -> Connection::TYPE,
        requires Nothing, since "5.9" with "the module `mptcp_diag`", [Closed Unsupported];
    pub fn connection(token: u32) -> Result<Connection> {
        cache::with_any_socket(|diag: &mut SockDiag| diag.connection(token))
            .map(|raw| from_raw(&raw))
            .map_err(|refusal| match refusal.errno {
                libc::ENOENT if has_mptcp_diag() => Error::new(ErrorKind::Closed, "connection")
                    .detail(format!("no connection has the token {token:08x}"))
                    .with_remedy("List the tokens in this network namespace: ss -M."),
                _ => refused("connection", refusal),
            })
    }
}

/// Reports whether the kernel has the module. Without it, the kernel answers a look-up as if there were no
/// such socket, and only a dump shows the difference. One success is enough: the module stays loaded.
fn has_mptcp_diag() -> bool {
    static ANSWERED: OnceLock<()> = OnceLock::new();
    if ANSWERED.get().is_some() {
        return true;
    }
    let answer = SockDiag::open().and_then(|mut diag| diag.prove_mptcp());
    answer.map(|()| ANSWERED.get_or_init(|| ())).is_ok()
}

fn refused(operation: &'static str, refusal: NetlinkError) -> Error {
    match refusal.errno {
        libc::ENOENT => cause::NO_MPTCP_DIAG.error(operation).errno(refusal.errno),
        _ => socket_state::refused(operation, refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_begins_after_the_subflows_were_listed_has_its_own() {
        let options = ConnectionsOptions::new().subflows(true);
        let early = SubflowList::read().unwrap();
        let listener = crate::listen("127.0.0.1:0", &Default::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let client = crate::connect(address, &Default::default()).unwrap();
        let local = client.local_addr().unwrap();
        for all in [connections_with(&options, || Ok(early)), connections(&options)] {
            let all = all.unwrap();
            let found = all.iter().find(|found| found.local == local).unwrap();
            assert_eq!(found.subflows.len(), 1);
            assert_eq!(found.subflows[0].remote, address);
        }
    }
}
