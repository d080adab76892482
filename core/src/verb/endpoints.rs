//! The endpoints of the kernel's path manager.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::cause;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel_name::KernelName;
use crate::shared::interface::index_of;
use crate::shared::path_manager::{self, refused};
use crate::sys::interface;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::{PathManagerSocket, RawAddress};
use crate::sys::uapi::pm;
use crate::table::{Type, Typed, operation, options, record};

record! {
    /// An endpoint of the kernel's path manager: a local address, and what the kernel does with it on
    /// every connection that it manages.
    pub struct Endpoint {
        /// The address id by which peers know it (RFC 8684, section 3.2): 1 to 255.
        id: u8,
        /// The address.
        address: IpAddr,
        /// The port that is announced with the address; absent if that of the connection is.
        port: Option<u16>,
        /// The index of the interface by which subflows from this address leave; absent if the routing
        /// table decides.
        interface_index: Option<u32>,
        /// The name of that interface; absent if it has gone, too.
        interface: Option<KernelName>,
        /// Whether the kernel announces the address to peers (ADD_ADDR).
        is_signal: bool,
        /// Whether the kernel opens a subflow from this address on connections of clients.
        is_subflow: bool,
        /// Whether subflows of this address are backups.
        is_backup: bool,
        /// Whether the kernel opens a subflow from this address to each address of the peer.
        is_fullmesh: bool,
        /// Whether the kernel opens a subflow from this address when a peer announces one.
        is_laminar: bool ["6.18"],
        /// Whether the kernel created the endpoint itself, for a subflow from an address that has none.
        is_implicit: bool,
    }
}

options! {
    /// Options of `add_endpoint`. The flags are those of `ip mptcp endpoint`.
    pub struct AddEndpoint {
        optional {
            /// The interface by which subflows from this address leave, by name. Without it, the routing
            /// table decides.
            interface: String,
        }
        optional_number {
            /// The port to announce with the address, at which the kernel then listens: for `signal`
            /// without `subflow` only.
            port: u16,
            /// The address id, 1 to 255. Without it, the kernel chooses a free one.
            id: u8,
        }
        default {
            /// Announce the address to peers, which may open subflows to it. Excludes `fullmesh`.
            signal: bool = false,
            /// Open a subflow from this address on connections of clients.
            subflow: bool = false,
            /// Open the subflows of this address as backups.
            backup: bool = false,
            /// With `subflow`: open a subflow to each address of the peer, and not to one only. Excludes
            /// `signal`.
            fullmesh: bool = false,
            /// Open a subflow from this address when a peer announces one (Linux 6.18).
            laminar: bool = false,
        }
    }
}

operation! {
    /// Lists the endpoints of the kernel's path manager, in the order of their ids.
    ///
    /// Endpoints belong to the calling thread's network namespace, and apply to all of its connections
    /// that the kernel's path manager manages.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no path manager.
    ///
    /// ```
    /// for endpoint in subflows::endpoints()? {
    ///     println!("{} {}", endpoint.id, endpoint.address);
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row ENDPOINTS() -> Type::List(&Endpoint::TYPE), requires Nothing, since "5.7", [Unsupported];
    pub fn endpoints() -> Result<Vec<Endpoint>> {
        let operation = "endpoints";
        let mut socket = path_manager::open(operation)?;
        // The kernel lists them by their ids.
        let all = socket.endpoints().map_err(|error| refused(operation, error))?;
        Ok(all.iter().map(|endpoint| from_raw(socket.as_fd(), endpoint)).collect())
    }
}

operation! {
    /// Adds an endpoint to the kernel's path manager, and returns it as the kernel has it.
    ///
    /// The kernel acts on every connection of the network namespace that it manages: with `subflow` it
    /// opens a subflow from the address at once, as far as the `limits` allow, and with `signal` it
    /// announces the address. It does not check that the address belongs to this host. An implicit
    /// endpoint of the same address is replaced, and keeps its id.
    ///
    /// If this kernel ignores something that was asked for, the endpoint is removed again, and the call
    /// fails with `Unsupported`.
    ///
    /// # Errors
    /// - `InvalidArgument` for flags that exclude each other, for an address or an id that another
    ///   endpoint has (error numbers `EEXIST` and `EBUSY`), and for an address that no interface can have.
    /// - `InvalidState` if there are as many endpoints as the kernel allows (8 on most).
    /// - `AddressNotAvailable` if the interface does not exist, or if the kernel cannot listen at the port.
    /// - `NotPermitted` without the privilege; `Unsupported` if this kernel does not know a flag.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// use subflows::AddEndpoint;
    ///
    /// let options = AddEndpoint::new().subflow(true).backup(true).interface("wwan0");
    /// let endpoint = subflows::add_endpoint("192.0.2.7".parse()?, &options)?;
    /// subflows::remove_endpoint(endpoint.id)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row ADD_ENDPOINT(address: Type::Ip, options: AddEndpoint::TYPE) -> Endpoint::TYPE,
        requires OwnNetAdmin, since "5.7",
        [InvalidState AddressNotAvailable NotPermitted Unsupported];
    pub fn add_endpoint(address: IpAddr, options: &AddEndpoint) -> Result<Endpoint> {
        let asked = asked(address.to_canonical(), options)?;
        let mut socket = path_manager::open(ADD)?;
        if let Err(error) = socket.add_endpoint(&asked) {
            return Err(not_added(&mut socket, &asked, error));
        }
        let all = socket.endpoints().map_err(|error| refused(ADD, error))?;
        let Some(added) = all.iter().find(|found| is_same_address(found, &asked)) else {
            return Err(Error::new(ErrorKind::Busy, ADD)
                .detail(format!("another process removed the endpoint {} at once", asked.ip))
                .with_remedy("Find out which program manages endpoints: ip mptcp monitor."));
        };
        let ignored = ignored(&asked, added);
        if ignored.is_empty() {
            return Ok(from_raw(socket.as_fd(), added));
        }
        // It was added by this call. If it has gone, nothing is left to undo.
        let _ = socket.remove_endpoint(added.id);
        let ignored = ignored.join(", ");
        Err(Error::new(ErrorKind::Unsupported, ADD)
            .detail(format!("this kernel ignores {ignored} of the endpoint {}", asked.ip))
            .with_remedy(format!("Leave out {ignored}, or use a newer kernel (laminar: Linux 6.18).")))
    }
}

operation! {
    /// Makes the subflows of an endpoint backups, or regular ones again.
    ///
    /// The kernel asks the peer of each connection that it manages to do the same (MP_PRIO).
    ///
    /// # Errors
    /// `NoSuchEndpoint` if no endpoint has the id; `NotPermitted` without the privilege; `Unsupported` if the
    /// kernel cannot change endpoints.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// subflows::set_endpoint_backup(2, true)?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row SET_ENDPOINT_BACKUP(endpoint_id: Type::U8, backup: Type::Bool) -> Type::Nothing,
        requires OwnNetAdmin, since "5.18", [NoSuchEndpoint NotPermitted Unsupported];
    pub fn set_endpoint_backup(endpoint_id: u8, backup: bool) -> Result<()> {
        set_flag("set_endpoint_backup", endpoint_id, pm::FLAG_BACKUP, backup)
    }
}

operation! {
    /// Makes the kernel open subflows from an endpoint to every address of the peer, or to one only.
    ///
    /// The kernel closes the subflows of the endpoint on each connection that it manages, and opens them
    /// again.
    ///
    /// # Errors
    /// `NoSuchEndpoint` if no endpoint has the id; `InvalidArgument` if it is an implicit one or has the flag
    /// `signal`; `NotPermitted` without the privilege; `Unsupported` if the kernel cannot change endpoints.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// subflows::set_endpoint_fullmesh(2, true)?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row SET_ENDPOINT_FULLMESH(endpoint_id: Type::U8, fullmesh: Type::Bool) -> Type::Nothing,
        requires OwnNetAdmin, since "5.18", [NoSuchEndpoint NotPermitted Unsupported];
    pub fn set_endpoint_fullmesh(endpoint_id: u8, fullmesh: bool) -> Result<()> {
        set_flag("set_endpoint_fullmesh", endpoint_id, pm::FLAG_FULLMESH, fullmesh)
    }
}

operation! {
    /// Removes an endpoint from the kernel's path manager.
    ///
    /// On each connection that it manages, the kernel closes the subflows from that address and withdraws
    /// the address if it was announced (RM_ADDR).
    ///
    /// # Errors
    /// `NoSuchEndpoint` if no endpoint has the id; `NotPermitted` without the privilege; `Unsupported` if the
    /// kernel has no path manager.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// subflows::remove_endpoint(2)?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row REMOVE_ENDPOINT(endpoint_id: Type::U8) -> Type::Nothing,
        requires OwnNetAdmin, since "5.7", [NoSuchEndpoint NotPermitted Unsupported];
    pub fn remove_endpoint(endpoint_id: u8) -> Result<()> {
        let operation = "remove_endpoint";
        let mut socket = path_manager::open(operation)?;
        if endpoint_id == 0 {
            return Err(none(operation, endpoint_id));
        }
        socket.remove_endpoint(endpoint_id).map_err(|error| match error.errno {
            libc::EINVAL => none(operation, endpoint_id).errno(error.errno).kernel(error.text),
            _ => refused(operation, error),
        })
    }
}

operation! {
    /// Removes every endpoint from the kernel's path manager, with the effects of `remove_endpoint`.
    ///
    /// # Errors
    /// `NotPermitted` without the privilege; `Unsupported` if the kernel has no path manager.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// subflows::flush_endpoints()?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row FLUSH_ENDPOINTS() -> Type::Nothing,
        requires OwnNetAdmin, since "5.7", [NotPermitted Unsupported];
    pub fn flush_endpoints() -> Result<()> {
        let operation = "flush_endpoints";
        path_manager::open(operation)?.flush_endpoints().map_err(|error| refused(operation, error))
    }
}

const ADD: &str = "add_endpoint";
/// How many endpoints every kernel allows.
const LEAST_LIMIT: usize = 8;

/// The flags that a caller can ask for, by the names of the options.
const FLAGS: [(&str, u32); 5] = [
    ("signal", pm::FLAG_SIGNAL),
    ("subflow", pm::FLAG_SUBFLOW),
    ("backup", pm::FLAG_BACKUP),
    ("fullmesh", pm::FLAG_FULLMESH),
    ("laminar", pm::FLAG_LAMINAR),
];

fn from_raw(sock: BorrowedFd<'_>, raw: &RawAddress) -> Endpoint {
    let is = |flag| raw.flags & flag != 0;
    let index = Some(raw.interface).filter(|index| *index != 0);
    Endpoint {
        id: raw.id,
        address: raw.ip,
        port: Some(raw.port).filter(|port| *port != 0),
        interface_index: index,
        interface: index.and_then(|index| interface::name(sock, index).ok()),
        is_signal: is(pm::FLAG_SIGNAL),
        is_subflow: is(pm::FLAG_SUBFLOW),
        is_backup: is(pm::FLAG_BACKUP),
        is_fullmesh: is(pm::FLAG_FULLMESH),
        is_laminar: is(pm::FLAG_LAMINAR),
        is_implicit: is(pm::FLAG_IMPLICIT),
    }
}

/// What the options ask for, if they do not contradict themselves.
fn asked(ip: IpAddr, options: &AddEndpoint) -> Result<RawAddress> {
    // The kernel accepts these, and can never use them.
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(Error::argument(ADD, format!("{ip} is not an address of an interface"))
            .with_remedy("Add an address of this host: ip address."));
    }
    if options.id == Some(0) {
        return Err(Error::argument(ADD, "0 is the id of the initial subflow's address")
            .with_remedy("Pass an id from 1 to 255, or none, so that the kernel chooses one."));
    }
    if options.signal && options.fullmesh {
        return Err(Error::argument(ADD, "signal and fullmesh exclude each other").with_remedy(
            "Leave one of the two out: a peer opens subflows to an address that is announced (signal), \
             and this host opens those of a full mesh.",
        ));
    }
    let port = options.port.unwrap_or(0);
    if port != 0 && (!options.signal || options.subflow) {
        return Err(Error::argument(ADD, "an endpoint with a port is one to announce only")
            .with_remedy("Pass signal without subflow, or leave the port out."));
    }
    let name = options.interface.as_deref();
    let interface = name.map_or(Ok(0), |name| index_of(name, ADD))?;
    let set = [options.signal, options.subflow, options.backup, options.fullmesh, options.laminar];
    let flags = FLAGS.iter().zip(set).filter(|(_, is_set)| *is_set);
    let flags = flags.fold(0, |flags, ((_, flag), _)| flags | flag);
    Ok(RawAddress { ip, port, id: options.id.unwrap_or(0), interface, flags })
}

/// Endpoints of the same address differ by the ports that they announce.
fn is_same_address(a: &RawAddress, b: &RawAddress) -> bool {
    (a.ip, a.port) == (b.ip, b.port)
}

/// Names the properties that were asked for and that the kernel has not applied.
fn ignored(asked: &RawAddress, added: &RawAddress) -> Vec<&'static str> {
    let missing = asked.flags & !added.flags;
    let flags = FLAGS.iter().filter(|(_, flag)| missing & flag != 0).map(|(name, _)| *name);
    let id = (asked.id != 0 && asked.id != added.id).then_some("the id");
    let interface = (asked.interface != added.interface).then_some("the interface");
    flags.chain(id).chain(interface).collect()
}

/// Returns why the kernel did not add an endpoint.
fn not_added(socket: &mut PathManagerSocket, asked: &RawAddress, error: NetlinkError) -> Error {
    let RawAddress { ip, port, id, .. } = *asked;
    // Only to name the other endpoint.
    let all = socket.endpoints().unwrap_or_default();
    let other = all.iter().find(|found| is_same_address(found, asked));
    let count = all.len();
    let errno = error.errno;
    let argument = |detail: String, remedy: String| {
        Error::argument(ADD, detail).errno(errno).kernel(error.text.clone()).with_remedy(remedy)
    };
    // Before Linux 6.12, the kernel may answer EINVAL for the first four: then the existing endpoints show which it was.
    let is_invalid = errno == libc::EINVAL;
    let is_id_taken = id != 0 && all.iter().any(|found| found.id == id);
    match (errno, other) {
        (libc::EBUSY, _) | (libc::EINVAL, _) if is_id_taken => argument(
            format!("an endpoint already has the id {id}"),
            "Pass another id, or none, so that the kernel chooses one.".to_owned(),
        ),
        (libc::EEXIST | libc::EINVAL, Some(other)) if other.flags & pm::FLAG_IMPLICIT == 0 => {
            let other = other.id;
            argument(
                format!("endpoint {other} already has the address {ip}"),
                format!(
                    "Remove it first (ip mptcp endpoint delete id {other}), or change its flags."
                ),
            )
        }
        // The kernel replaces an implicit endpoint only under its own id.
        (libc::EINVAL, Some(_)) if id != 0 => argument(
            format!("the kernel has created an implicit endpoint for {ip} with another id"),
            "Leave the id out: the new endpoint then replaces the implicit one.".to_owned(),
        ),
        _ if errno == libc::ERANGE || (is_invalid && count >= LEAST_LIMIT) => {
            Error::new(ErrorKind::InvalidState, ADD)
                .errno(errno)
                .kernel(error.text)
                .detail(format!(
                    "this network namespace has {count} endpoints, and the kernel allows no more"
                ))
                .with_remedy(
                    "Remove one first: ip mptcp endpoint show, ip mptcp endpoint delete id ID.",
                )
        }
        (libc::EADDRINUSE | libc::EADDRNOTAVAIL, _) => Error::os(ADD, errno)
            .kernel(error.text)
            .detail(format!("the kernel cannot listen on {ip} port {port}")),
        _ => refused(ADD, error),
    }
}

/// Returns the error for an id that no endpoint has.
fn none(operation: &'static str, id: u8) -> Error {
    Error::new(ErrorKind::NoSuchEndpoint, operation).detail(format!("no endpoint has the id {id}"))
}

/// Sets or clears one of the two flags that can change. The kernel sets both at once.
fn set_flag(operation: &'static str, id: u8, flag: u32, on: bool) -> Result<()> {
    const BOTH: u32 = pm::FLAG_BACKUP | pm::FLAG_FULLMESH;
    let mut socket = path_manager::open(operation)?;
    let find = |socket: &mut PathManagerSocket| {
        let all = socket.endpoints().map_err(|error| refused(operation, error))?;
        all.into_iter().find(|found| found.id == id).ok_or_else(|| none(operation, id))
    };
    let before = find(&mut socket)?;
    let wanted = if on { before.flags | flag } else { before.flags & !flag } & BOTH;
    let excluded = pm::FLAG_SIGNAL | pm::FLAG_IMPLICIT;
    socket.set_endpoint_flags(id, wanted).map_err(|error| match error.errno {
        libc::EINVAL if wanted & pm::FLAG_FULLMESH != 0 && before.flags & excluded != 0 => {
            let is = if before.flags & pm::FLAG_SIGNAL != 0 { "signal" } else { "implicit" };
            Error::argument(operation, format!("endpoint {id} is {is}, which excludes fullmesh"))
                .errno(error.errno)
                .kernel(error.text)
                .with_remedy("Remove the endpoint, and add it with subflow and fullmesh.")
        }
        libc::EOPNOTSUPP => cause::NO_ENDPOINT_CHANGE.error(operation).errno(error.errno),
        _ => refused(operation, error),
    })?;
    if find(&mut socket)?.flags & BOTH == wanted {
        Ok(())
    } else {
        Err(cause::NO_ENDPOINT_CHANGE.error(operation))
    }
}
