//! Finding the hop at which the MP_CAPABLE option of a SYN vanishes ("tracebox", IMC 2013): SYNs whose hop limit
//! ends at each router, which returns a copy.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname,
    ipproto, recvfrom, sendto, socket_with, sockopt,
};
use serde_json::{Value, json};
use subflows::{ErrorKind, address_text};

use super::segment::{self, Answer, Seen};
use crate::failure::Failure;

/// How many hops are tried at the same time.
const BATCH: u8 = 8;
/// No path on the Internet is longer.
const HOPS_MAX: u8 = 40;
/// How long the answers to a batch may take, and how many times it is sent.
const PATIENCE: Duration = Duration::from_millis(1000);
const TRIES: usize = 2;
const PACKET_MAX: usize = 2048;

/// A router on the path, or the host at its end.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    number: u8,
    from: Option<IpAddr>,
    rtt: Option<Duration>,
    seen: Seen,
    answer: Option<Answer>,
}

/// What a trace found.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) remote: SocketAddr,
    pub(crate) hops: Vec<Hop>,
}

/// A SYN that is under way.
struct Sent {
    hop: usize,
    /// Keeps the port from other programs, and lets the kernel reset what the host accepts.
    _holder: OwnedFd,
    port: u16,
    at: Instant,
}

struct Sockets {
    tcp: OwnedFd,
    icmp: OwnedFd,
    source: IpAddr,
    remote: SocketAddr,
}

/// Traces the path to an address. Requires CAP_NET_RAW.
pub(crate) fn trace(remote: SocketAddr) -> Result<Trace, Failure> {
    let mut sockets = Sockets::open(remote).map_err(|error| failed(remote, &error))?;
    let mut hops: Vec<Hop> = Vec::new();
    let is_end = |hop: &Hop| hop.answer.is_some();
    while !hops.iter().any(is_end) && hops.len() < usize::from(HOPS_MAX) {
        let first = hops.len();
        let numbers = (first as u8 + 1)..=(first as u8 + BATCH).min(HOPS_MAX);
        hops.extend(numbers.map(|number| Hop {
            number,
            from: None,
            rtt: None,
            seen: Seen::Unknown,
            answer: None,
        }));
        for _ in 0..TRIES {
            sockets.ask(&mut hops, first).map_err(|error| failed(remote, &error))?;
        }
    }
    // Later SYNs reached the host as well; routers after the last that answers are not known.
    let end = hops.iter().position(is_end);
    let last = end.or_else(|| hops.iter().rposition(|hop| hop.from.is_some()));
    hops.truncate(last.map_or(0, |last| last + 1));
    Ok(Trace { remote, hops })
}

fn failed(remote: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::system(format_args!("cannot trace the path to {remote}"), error);
    match failure.kind() {
        ErrorKind::NotPermitted => failure.remedy("Run it as root, or with CAP_NET_RAW."),
        _ => failure,
    }
}

impl Sockets {
    fn open(remote: SocketAddr) -> io::Result<Sockets> {
        let is_v4 = remote.is_ipv4();
        let icmp = if is_v4 { ipproto::ICMP } else { ipproto::ICMPV6 };
        let tcp = socket(remote, SocketType::RAW, ipproto::TCP)?;
        let icmp = socket(remote, SocketType::RAW, icmp)?;
        // A datagram socket that is connected, which sends nothing, has the address of the route.
        let any: SocketAddr = if is_v4 { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let chooser = UdpSocket::bind(any)?;
        chooser.connect(remote)?;
        let source = chooser.local_addr()?.ip();
        Ok(Sockets { tcp, icmp, source, remote })
    }

    /// Sends a SYN for each hop that has not answered, and reads the answers.
    fn ask(&mut self, hops: &mut [Hop], first: usize) -> io::Result<()> {
        let mut sent = Vec::new();
        for index in first..hops.len() {
            // Nothing is sent beyond the host.
            if hops[..index].iter().any(|hop| hop.answer.is_some()) {
                break;
            }
            if hops[index].from.is_none() {
                sent.push(self.send(index, hops[index].number)?);
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while sent.iter().any(|sent| hops[sent.hop].from.is_none()) && Instant::now() < deadline {
            // All hops before the host have answered.
            let end = hops.iter().position(|hop| hop.answer.is_some());
            if end.is_some_and(|end| hops[..end].iter().all(|hop| hop.from.is_some())) {
                break;
            }
            self.wait(deadline);
            while let Some((from, packet)) = receive(&self.icmp)? {
                self.note_quote(&packet, from, &sent, hops);
            }
            while let Some((from, packet)) = receive(&self.tcp)? {
                self.note_answer(&packet, from, &sent, hops);
            }
        }
        Ok(())
    }

    fn send(&self, hop: usize, number: u8) -> io::Result<Sent> {
        let is_v4 = self.remote.is_ipv4();
        let holder = socket(self.remote, SocketType::STREAM, ipproto::TCP)?;
        bind(&holder, &SocketAddr::new(self.source, 0))?;
        let port = SocketAddr::try_from(getsockname(&holder)?)?.port();
        if is_v4 {
            sockopt::set_ip_ttl(&self.tcp, number.into())?
        } else {
            sockopt::set_ipv6_unicast_hops(&self.tcp, Some(number))?
        }
        let at = Instant::now();
        let sequence = 0x5eed_0000 | u32::from(port);
        let ports = (port, self.remote.port());
        let syn = segment::syn(self.source, ports, self.remote.ip(), sequence);
        let mut to = self.remote;
        // A raw socket has no ports.
        to.set_port(0);
        sendto(&self.tcp, &syn, SendFlags::empty(), &to)?;
        Ok(Sent { hop, _holder: holder, port, at })
    }

    fn note_quote(&self, packet: &[u8], from: IpAddr, sent: &[Sent], hops: &mut [Hop]) {
        let is_v6 = self.remote.is_ipv6();
        let message = if is_v6 { Some(packet) } else { after_ipv4_header(packet) };
        let Some((port, seen)) = message.and_then(|message| segment::quoted(message, is_v6)) else {
            return;
        };
        if let Some(sent) = sent.iter().find(|sent| sent.port == port) {
            let hop = &mut hops[sent.hop];
            (hop.from, hop.rtt, hop.seen) = (Some(from), Some(sent.at.elapsed()), seen);
        }
    }

    fn note_answer(&self, packet: &[u8], from: IpAddr, sent: &[Sent], hops: &mut [Hop]) {
        if from != self.remote.ip() {
            return;
        }
        let segment = if from.is_ipv6() { Some(packet) } else { after_ipv4_header(packet) };
        let answer = segment.and_then(|segment| segment::answer(segment, self.remote.port()));
        let Some((port, answer)) = answer else { return };
        if let Some(sent) = sent.iter().find(|sent| sent.port == port) {
            let hop = &mut hops[sent.hop];
            (hop.from, hop.rtt, hop.answer) = (Some(from), Some(sent.at.elapsed()), Some(answer));
        }
    }

    fn wait(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut polled =
            [PollFd::new(&self.tcp, PollFlags::IN), PollFd::new(&self.icmp, PollFlags::IN)];
        // An interrupted wait is followed by another one.
        let _ = poll(&mut polled, Some(&timeout));
    }
}

fn socket(like: SocketAddr, kind: SocketType, protocol: Protocol) -> io::Result<OwnedFd> {
    let family = if like.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, kind, flags, Some(protocol))?)
}

/// Receives a packet, if there is one. Packets of IPv4 begin with their header, those of IPv6 do not.
fn receive(socket: &OwnedFd) -> io::Result<Option<(IpAddr, Vec<u8>)>> {
    let mut buffer = vec![0; PACKET_MAX];
    match recvfrom(socket, &mut buffer[..], RecvFlags::empty()) {
        Ok((length, _, from)) => {
            buffer.truncate(length);
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            Ok(from.map(|from| (from.ip(), buffer)))
        }
        Err(error) if error == rustix::io::Errno::AGAIN => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What follows the header of IPv4.
fn after_ipv4_header(packet: &[u8]) -> Option<&[u8]> {
    packet.get(usize::from(packet.first()? & 0x0f) * 4..)
}

impl Trace {
    /// The last hop that received the option, and the first that did not, if a router shows it.
    fn vanishes(&self) -> Option<(Option<&Hop>, &Hop)> {
        let absent = self.hops.iter().position(|hop| hop.seen == Seen::Absent)?;
        let before = self.hops[..absent].iter().rfind(|hop| hop.seen == Seen::Present);
        Some((before, &self.hops[absent]))
    }

    fn answer(&self) -> Option<Answer> {
        self.hops.last()?.answer
    }

    /// Whether the host answered with an MP_CAPABLE of its own.
    pub(crate) fn is_answered_by_mptcp(&self) -> bool {
        self.answer() == Some(Answer::Mptcp)
    }

    /// Where the option vanishes, in a sentence.
    pub(crate) fn conclusion(&self) -> String {
        let routers = self.hops.iter().filter(|hop| hop.answer.is_none());
        let last_present = routers.rev().find(|hop| hop.seen == Seen::Present);
        let name = |hop: &Hop| {
            let from = hop.from.map_or("an unknown router".to_owned(), |from| from.to_string());
            format!("{from} (hop {})", hop.number)
        };
        match (self.vanishes(), self.answer()) {
            (Some((Some(before), at)), _) => {
                format!("MP_CAPABLE vanishes between {} and {}.", name(before), name(at))
            }
            (Some((None, at)), _) => format!("MP_CAPABLE vanishes before {}.", name(at)),
            (None, Some(Answer::Mptcp)) => {
                "MP_CAPABLE reaches the host, which answers by Multipath TCP.".to_owned()
            }
            (None, Some(Answer::Echo)) => {
                "The answer has a copy of the SYN's MP_CAPABLE: the host, or a middlebox before it, echoes \
                 options."
                    .to_owned()
            }
            (None, Some(Answer::Tcp)) => match last_present {
                Some(hop) => format!(
                    "MP_CAPABLE is still present at {}, and the answer comes without it: the host has no \
                     Multipath TCP, or a middlebox behind that router removes the option.",
                    name(hop)
                ),
                None => "No router shows the option, and the answer comes without it.".to_owned(),
            },
            (None, Some(Answer::Reset)) => "The host answers with RST.".to_owned(),
            (None, None) => match last_present {
                Some(hop) => format!("Nothing answers after {}, which received MP_CAPABLE.", name(hop)),
                None => "Nothing answers.".to_owned(),
            },
        }
    }

    /// Rows of a table: the number of the hop, its address, its round-trip time, what it shows.
    pub(crate) fn rows(
        &self,
    ) -> impl Iterator<Item = (u8, Option<IpAddr>, Option<Duration>, &'static str)> {
        self.hops.iter().map(|hop| (hop.number, hop.from, hop.rtt, hop.shown()))
    }

    pub(crate) fn json(&self) -> Value {
        let hop = |hop: &Hop| {
            json!({
                "hop": hop.number,
                "address": hop.from.map(|from| from.to_string()),
                "rtt_us": hop.rtt.map(|rtt| rtt.as_micros() as u64),
                "mp_capable": hop.shown(),
            })
        };
        let vanishes = self.vanishes();
        json!({
            "remote": address_text::written(self.remote),
            "hops": self.hops.iter().map(hop).collect::<Vec<_>>(),
            "present_until": vanishes.and_then(|(before, _)| before).map(|hop| hop.number),
            "absent_from": vanishes.map(|(_, at)| at.number),
            "conclusion": self.conclusion(),
        })
    }
}

impl Hop {
    fn shown(&self) -> &'static str {
        match (self.answer, self.from, self.seen) {
            (Some(Answer::Mptcp), ..) => "answered",
            (Some(Answer::Echo), ..) => "echoed",
            (Some(Answer::Tcp), ..) => "not answered",
            (Some(Answer::Reset), ..) => "reset",
            (None, None, _) => "no reply",
            (None, Some(_), Seen::Present) => "present",
            (None, Some(_), Seen::Absent) => "absent",
            (None, Some(_), Seen::Unknown) => "not quoted",
        }
    }
}
