//! The route that the kernel would take, by rtnetlink, without any privilege.
//!
//! Source: `inet_rtm_getroute` in `net/ipv4/route.c`, `inet6_rtm_getroute` in `net/ipv6/route.c`.

use std::net::{IpAddr, SocketAddr};

use super::interface_addresses::{AddressQuery, ip_at};
use super::netlink::{Attributes, Message, NetlinkError, Received, number};
use super::uapi::route;

/// What a connection to route is known to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) to: SocketAddr,
    /// The source address. With `None`, the kernel chooses it.
    pub(crate) from: Option<IpAddr>,
    /// The index of the interface to leave by. With 0, the kernel chooses it.
    pub(crate) interface: u32,
    /// The socket's mark, which routing rules may ask for.
    pub(crate) mark: u32,
}

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) kind: RouteKind,
    /// The index of the interface that the route leaves by. IPv6 may answer with another one than
    /// the question names.
    pub(crate) interface: u32,
    /// The source address that the kernel chooses, unless the question has one.
    pub(crate) source: Option<IpAddr>,
    /// No route leads there by that interface. A socket that is bound to the interface treats the
    /// IPv4 destination as a neighbour all the same.
    pub(crate) is_assumed: bool,
    /// Packets go to a router first.
    pub(crate) has_gateway: bool,
}

impl Route {
    /// Reports whether the destination is an address of this host.
    pub(crate) fn is_local(&self) -> bool {
        self.kind == RouteKind::Local
    }
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteKind {
    Unicast,
    /// The destination is an address of this host.
    Local,
    Blackhole,
    Unreachable,
    Prohibit,
    Other,
}

impl AddressQuery {
    /// Asks for the route that a TCP connection takes.
    ///
    /// # Errors
    /// `ENETUNREACH` without a route, also because the interface is down; `EHOSTUNREACH` for an
    /// unreachable route of IPv4, `EACCES` for a prohibit route, `EINVAL` for a blackhole route, and
    /// for a source that is not an address of this host. IPv6 answers with the route instead.
    pub(crate) fn route(&mut self, question: &Question) -> Result<Route, NetlinkError> {
        let route = self.ask(question, 0)?;
        let may_be_assumed = question.to.is_ipv4()
            && question.interface != 0
            && route.kind == RouteKind::Unicast
            && !route.has_gateway;
        let is_assumed = may_be_assumed && !self.leads(question)?;
        Ok(Route { is_assumed, ..route })
    }

    /// Reports whether the routing table leads to the destination by the interface that the question
    /// names.
    pub(crate) fn leads(&mut self, question: &Question) -> Result<bool, NetlinkError> {
        let flags = if question.to.is_ipv4() { route::RTM_F_FIB_MATCH } else { 0 };
        let answer = match self.ask(question, flags) {
            // The kernel answers IPv4 by the interface or not at all. Routes of several hops are
            // answered without an interface.
            Ok(_) if question.to.is_ipv4() => true,
            Ok(route) => route.kind == RouteKind::Unicast && route.interface == question.interface,
            Err(error) if is_no_route(&error) => false,
            Err(error) => return Err(error),
        };
        // If the question has a source, IPv6 answers with the best route by any interface. A socket
        // that is bound to the interface takes only routes by that one, as does this question.
        if answer || question.to.is_ipv4() || question.from.is_none() {
            return Ok(answer);
        }
        self.leads(&Question { from: None, ..*question })
    }

    fn ask(&mut self, question: &Question, flags: u32) -> Result<Route, NetlinkError> {
        let mut answer = None;
        self.netlink.request(question.message(flags), |received| {
            answer = parse(received)?;
            Ok(())
        })?;
        answer.ok_or_else(NetlinkError::malformed)
    }
}

/// Reports whether the kernel answered that no usable route leads there.
pub(crate) fn is_no_route(error: &NetlinkError) -> bool {
    let answers =
        [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL, libc::ENETDOWN];
    answers.contains(&error.errno)
}

impl Question {
    fn message(&self, flags: u32) -> Message {
        let is_v4 = self.to.is_ipv4();
        let length = if is_v4 { 32 } else { 128 };
        let mut body = [0u8; route::RTMSG_LEN];
        body[0] = (if is_v4 { libc::AF_INET } else { libc::AF_INET6 }) as u8;
        body[1] = length;
        body[2] = if self.from.is_some() { length } else { 0 };
        body[8..12].copy_from_slice(&flags.to_ne_bytes());
        let message = Message::new(route::GETROUTE, 0).raw(&body);
        let mut message = address(message, route::RTA_DST, self.to.ip());
        if let Some(from) = self.from {
            message = address(message, route::RTA_SRC, from);
        }
        if self.interface != 0 {
            message = message.attribute(route::RTA_OIF, &self.interface.to_ne_bytes());
        }
        if self.mark != 0 {
            message = message.attribute(route::RTA_MARK, &self.mark.to_ne_bytes());
        }
        message
            .attribute(route::RTA_IP_PROTO, &[libc::IPPROTO_TCP as u8])
            .attribute(route::RTA_DPORT, &self.to.port().to_be_bytes())
    }
}

fn address(message: Message, kind: u16, ip: IpAddr) -> Message {
    match ip {
        IpAddr::V4(v4) => message.attribute(kind, &v4.octets()),
        IpAddr::V6(v6) => message.attribute(kind, &v6.octets()),
    }
}

fn parse(received: &Received<'_>) -> Result<Option<Route>, NetlinkError> {
    if received.kind != route::NEWROUTE {
        return Ok(None);
    }
    let body = received.payload.get(..route::RTMSG_LEN).ok_or_else(NetlinkError::malformed)?;
    let kind = match body[7] {
        route::RTN_UNICAST | route::RTN_ANYCAST => RouteKind::Unicast,
        route::RTN_LOCAL => RouteKind::Local,
        route::RTN_BLACKHOLE => RouteKind::Blackhole,
        route::RTN_UNREACHABLE | route::RTN_THROW => RouteKind::Unreachable,
        route::RTN_PROHIBIT => RouteKind::Prohibit,
        _ => RouteKind::Other,
    };
    let mut found =
        Route { kind, interface: 0, source: None, is_assumed: false, has_gateway: false };
    for attribute in Attributes(&received.payload[route::RTMSG_LEN..]) {
        let (attribute, value) = attribute?;
        match attribute {
            route::RTA_OIF => found.interface = u32::from_ne_bytes(number(value)?),
            route::RTA_PREFSRC => found.source = Some(ip_at(body[0], value)?),
            route::RTA_GATEWAY | route::RTA_VIA => found.has_gateway = true,
            _ => {}
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_reaches_itself() {
        let mut query = AddressQuery::open().unwrap();
        for to in ["127.0.0.1:1", "[::1]:1"] {
            let to: SocketAddr = to.parse().unwrap();
            let question = Question { to, from: None, interface: 0, mark: 0 };
            let Ok(route) = query.route(&question) else { continue };
            assert_eq!((route.kind, route.source), (RouteKind::Local, Some(to.ip())));
        }
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let kind = route::NEWROUTE;
            let _ = parse(&Received { kind, flags: 0, sequence: 1, payload: &payload });
        }
    }
}
