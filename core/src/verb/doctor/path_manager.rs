//! The kernel's path manager: its setting, limits and endpoints.

use std::net::{IpAddr, SocketAddr};

use super::finding::{FindingKind, Findings};
use super::host::counter;
use super::paths::Paths;
use crate::shared::details::can_bind;
use crate::shared::settings;
use crate::sys::interface;
use crate::sys::path_manager::{PathManagerSocket, RawAddress};
use crate::sys::uapi::pm;

/// Which end of a connection this host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    /// The client opens the further subflows.
    Server,
    /// Of some connections the one, of others the other.
    Either,
}

/// Examines the path manager of new connections.
pub(super) fn examine(found: &mut Findings, paths: &Paths<'_>, end: End) {
    if is_kernel(found) {
        examine_kernels(found, paths, end, counter("AddAddr") > 0);
    }
}

/// Reports whether the kernel's path manager manages new connections.
fn is_kernel(found: &mut Findings) -> bool {
    let settings = [("path_manager", "kernel"), ("pm_type", "0")];
    let present =
        settings.iter().find_map(|(name, kernel)| Some((name, kernel, settings::read(name)?)));
    match present {
        Some((name, kernel, value)) if value != *kernel => {
            let setting = format!("net.mptcp.{name}");
            found.add(
                FindingKind::UserspacePathManager,
                &[("setting", &setting), ("value", &value), ("kernel", kernel)],
            );
            false
        }
        _ => true,
    }
}

/// Examines the kernel's path manager, for connections that it manages.
pub(super) fn examine_kernels(
    found: &mut Findings,
    paths: &Paths<'_>,
    end: End,
    has_announced: bool,
) {
    // Before Linux 5.7 there is none; what denies netlink has its own finding.
    let Ok(mut manager) = PathManagerSocket::open() else { return };
    let limits = manager.limits();
    if limits.as_ref().is_ok_and(|limits| limits.subflows == 0) {
        found.add(FindingKind::LimitSubflows, &[]);
    }
    // An endpoint is of no use there.
    let endpoints = manager.endpoints().ok().filter(|_| !paths.is_within_host());
    if let Some(mut endpoints) = endpoints {
        endpoints.retain(|endpoint| endpoint.flags & pm::FLAG_IMPLICIT == 0);
        examine_endpoints(found, paths, end, &endpoints);
    }
    if has_announced && limits.is_ok_and(|limits| limits.add_addr_accepted == 0) {
        found.add(FindingKind::LimitAddAddrAccepted, &[]);
    }
}

fn examine_endpoints(found: &mut Findings, paths: &Paths<'_>, end: End, endpoints: &[RawAddress]) {
    let (address, interface) = paths.second();
    let second: [(&str, &dyn std::fmt::Display); 2] =
        [("address", &address), ("interface", &interface)];
    if endpoints.is_empty() {
        if end != End::Server {
            // Without a second interface, an endpoint does not help.
            paths.count(found);
            found.add(FindingKind::NoEndpoint, &second);
        }
        return;
    }
    if end == End::Client && endpoints.iter().all(|endpoint| !opens(endpoint)) {
        found.add(FindingKind::OnlySignalEndpoints, &second);
    }
    for endpoint in endpoints {
        if let Some(remote) = paths.remote.filter(|remote| !is_private(remote.ip())) {
            let (ip, is_signal) = (endpoint.ip, endpoint.flags & pm::FLAG_SIGNAL != 0);
            if is_signal && is_private(ip) {
                let words: &[(&str, &dyn std::fmt::Display)] =
                    &[("id", &endpoint.id), ("address", &ip), ("remote", &remote.ip())];
                found.add(FindingKind::PrivateAddressAnnounced, words);
            }
        }
    }
    let mut good = Vec::new();
    for endpoint in endpoints {
        if is_there(found, paths, endpoint) && opens(endpoint) && leads(found, paths, endpoint) {
            good.push(endpoint.ip);
        }
    }
    let Some(remote) = paths.remote.filter(|_| end == End::Client) else { return };
    let is_like = |endpoint: &&RawAddress| endpoint.ip.is_ipv4() == remote.is_ipv4();
    if endpoints.iter().filter(|endpoint| opens(endpoint)).all(|endpoint| !is_like(&endpoint)) {
        if !found.has(FindingKind::OnlySignalEndpoints) {
            let words = [second[0], second[1], ("remote", &remote as &dyn std::fmt::Display)];
            found.add(FindingKind::EndpointOtherFamily, &words);
        }
    } else if let (Some(local), false) = (paths.initial, good.is_empty()) {
        if good.iter().filter(|ip| ip.is_ipv4() == remote.is_ipv4()).all(|ip| *ip == local) {
            let words = [second[0], second[1], ("local", &local as &dyn std::fmt::Display)];
            found.add(FindingKind::EndpointIsInitial, &words);
        }
    }
}

/// Reports whether the kernel opens subflows from an endpoint.
fn opens(endpoint: &RawAddress) -> bool {
    endpoint.flags & (pm::FLAG_SUBFLOW | pm::FLAG_FULLMESH | pm::FLAG_LAMINAR) != 0
}

/// Examines whether the address and the interface of an endpoint can be used.
fn is_there(found: &mut Findings, paths: &Paths<'_>, endpoint: &RawAddress) -> bool {
    let RawAddress { id, ip, interface: index, .. } = *endpoint;
    let owners = paths.owners(ip);
    if index != 0 && interface::name(paths.sock, index).is_err() {
        let words: &[(&str, &dyn std::fmt::Display)] =
            &[("id", &id), ("address", &ip), ("index", &index)];
        found.add(FindingKind::EndpointInterfaceMissing, words);
        return false;
    }
    if owners.is_empty() && !can_bind(paths.sock, SocketAddr::new(ip, 0)) {
        found.add(FindingKind::EndpointAddressGone, &[("id", &id), ("address", &ip)]);
        return false;
    }
    let used = if index == 0 { owners } else { vec![index] };
    let is_up = |index: &u32| interface::has_carrier(paths.sock, *index);
    if let (Some(first), false) = (used.first(), used.iter().any(is_up)) {
        let words: &[(&str, &dyn std::fmt::Display)] =
            &[("id", &id), ("address", &ip), ("interface", &paths.name(*first))];
        found.add(FindingKind::EndpointInterfaceDown, words);
        return false;
    }
    true
}

/// Examines whether packets from an endpoint reach the remote address by the right interface.
fn leads(found: &mut Findings, paths: &Paths<'_>, endpoint: &RawAddress) -> bool {
    let RawAddress { id, ip, interface: index, .. } = *endpoint;
    let (Some(remote), Some(to)) = (paths.remote, paths.destination()) else { return true };
    // An address of the other family is used for addresses that the peer announces.
    if ip.is_ipv4() != remote.is_ipv4() || paths.initial == Some(ip) {
        return true;
    }
    let owners = paths.owners(ip);
    let named = if index != 0 { Some(index) } else { owners.first().copied() };
    let name = named.map_or("INTERFACE".to_owned(), |index| paths.name(index));
    let words: &[(&str, &dyn std::fmt::Display)] =
        &[("id", &id), ("address", &ip), ("remote", &remote.ip()), ("interface", &name)];
    if index != 0 {
        let is_led = to.leads(ip, index).unwrap_or(true);
        if !is_led {
            found.add(FindingKind::EndpointNoRoute, words);
        }
        return is_led;
    }
    match to.route(Some(ip), 0) {
        Ok(Some(route)) if route.is_local() || owners.contains(&route.interface) => true,
        // An address without an interface is one of the whole host.
        Ok(Some(_)) if owners.is_empty() => true,
        Ok(Some(route)) => {
            let other = paths.name(route.interface);
            let words = [words, &[("other", &other)]].concat();
            found.add(FindingKind::EndpointRouteElsewhere, &words);
            false
        }
        Ok(None) | Err(_) => {
            found.add(FindingKind::EndpointNoRoute, words);
            false
        }
    }
}

/// Reports whether an address means nothing beyond NAT or beyond this host.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10: the network between providers and their customers (RFC 6598).
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_addresses_are_known() {
        for ip in
            ["10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["100.128.0.1", "192.0.2.1", "2001:db8::1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }
}
