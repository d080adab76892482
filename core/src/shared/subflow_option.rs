//! The options of a subflow that have a type: their numbers in the kernel, and the values that they take.

use libc::{IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, SOL_SOCKET as SOCKET};

use crate::error::{Error, Result};
use crate::kernel_name::KernelName;
use crate::shared::diag_subflow::DiagSubflow;
use crate::shared::option_step::OptionStep;
use crate::table::{Type, Typed, enumeration};

enumeration! {
    /// An option of a single subflow. The ranges are those that the library accepts; the kernel may narrow
    /// them further.
    pub enum SubflowOption {
        /// The name of the congestion control (TCP_CONGESTION). Its module has to be loaded.
        CongestionControl = 1,
        /// The mark of the subflow's packets, for routing rules and firewalls (SO_MARK): 0 to 4294967295.
        Mark = 2,
        /// The priority of its packets in the queues of this host (SO_PRIORITY): 0 to 4294967295.
        Priority = 3,
        /// The byte in the IP header that asks routers for a service: TOS of IPv4, traffic class of IPv6.
        /// 0 to 255. The kernel keeps the two lowest bits, which are for congestion notification. Older
        /// kernels do not let it be set on an IPv4 subflow of an IPv6 socket.
        TrafficClass = 4,
        /// The rate to which sending is limited, in bytes per second (SO_MAX_PACING_RATE): 1 to 4294967294,
        /// or 4294967295 for no limit.
        MaxPacingRate = 5,
        /// How long sent data may stay unacknowledged before the kernel ends the subflow, in milliseconds
        /// (TCP_USER_TIMEOUT): 0 to 2147483647. 0 is the kernel's default.
        UserTimeout = 6,
        /// Whether the kernel probes an idle subflow (SO_KEEPALIVE).
        Keepalive = 7,
        /// How long the subflow is idle before the first probe, in seconds (TCP_KEEPIDLE): 1 to 32767.
        KeepaliveIdle = 8,
        /// The time between two probes, in seconds (TCP_KEEPINTVL): 1 to 32767.
        KeepaliveInterval = 9,
        /// How many probes may stay unanswered before the kernel ends the subflow (TCP_KEEPCNT): 1 to 127.
        KeepaliveCount = 10,
        /// The size of the send buffer, in bytes (SO_SNDBUF): 0 to 1073741823. The kernel doubles the number
        /// that is set, and limits it to `net.core.wmem_max` before.
        SendBuffer = 11,
        /// The size of the receive buffer, in bytes (SO_RCVBUF): 0 to 1073741823. The kernel doubles the
        /// number that is set, and limits it to `net.core.rmem_max` before.
        ReceiveBuffer = 12,
        /// Whether small segments are sent at once (TCP_NODELAY).
        NoDelay = 13,
        /// The largest segment to announce, in bytes (TCP_MAXSEG): 88 to 32767. It acts on a handshake only;
        /// read on a connected subflow, it is the size of the segments that are sent now.
        MaxSegment = 14,
        /// How many times the first segment is sent again (TCP_SYNCNT): 1 to 127.
        SynCount = 15,
        /// The amount of unsent data below which the subflow accepts more, in bytes (TCP_NOTSENT_LOWAT):
        /// 0 to 4294967295. 0 is the setting `net.ipv4.tcp_notsent_lowat`.
        NotSentLowWater = 16,
        /// The largest receive window to announce, in bytes (TCP_WINDOW_CLAMP): 1 to 2147483647. The kernel
        /// raises a small number to its minimum.
        WindowClamp = 17,
    }
}

/// The value of an option: a number, a switch or a name, as the option requires. Raw options are bytes.
///
/// As text, a switch is `true` or `false`, and bytes are hexadecimal digits after `0x`.
///
/// ```
/// use subflows::OptionValue;
///
/// assert_eq!(OptionValue::from(42), OptionValue::Number(42));
/// assert_eq!(OptionValue::from("bbr").to_string(), "bbr");
/// assert_eq!(OptionValue::parse("yes"), OptionValue::Switch(true));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// A number, in the unit of the option.
    Number(u64),
    /// On or off.
    Switch(bool),
    /// A name.
    Name(String),
    /// The bytes of a raw option.
    Bytes(Vec<u8>),
}

impl OptionValue {
    /// Reads a value from text: `true`, `yes` or `on`, `false`, `no` or `off`, digits, or `0x` and
    /// hexadecimal digits for bytes. Any other text is a name.
    pub fn parse(text: &str) -> OptionValue {
        match text {
            "yes" | "on" | "true" => return OptionValue::Switch(true),
            "no" | "off" | "false" => return OptionValue::Switch(false),
            _ => {}
        }
        if let Some(bytes) = text.strip_prefix("0x").and_then(bytes) {
            return OptionValue::Bytes(bytes);
        }
        let is_number = text.starts_with(|first: char| first.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        number.map_or_else(|| OptionValue::from(text), OptionValue::Number)
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl From<u64> for OptionValue {
    fn from(number: u64) -> Self {
        OptionValue::Number(number)
    }
}
impl From<u32> for OptionValue {
    fn from(number: u32) -> Self {
        OptionValue::Number(number.into())
    }
}
impl From<i32> for OptionValue {
    /// A negative number becomes one that no option accepts.
    fn from(number: i32) -> Self {
        OptionValue::Number(u64::try_from(number).unwrap_or(u64::MAX))
    }
}
impl From<bool> for OptionValue {
    fn from(on: bool) -> Self {
        OptionValue::Switch(on)
    }
}
impl From<&[u8]> for OptionValue {
    fn from(bytes: &[u8]) -> Self {
        OptionValue::Bytes(bytes.to_vec())
    }
}
impl From<&str> for OptionValue {
    fn from(name: &str) -> Self {
        OptionValue::Name(name.to_owned())
    }
}
impl From<String> for OptionValue {
    fn from(name: String) -> Self {
        OptionValue::Name(name)
    }
}

impl std::fmt::Display for OptionValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OptionValue::Number(number) => number.fmt(f),
            OptionValue::Switch(on) => on.fmt(f),
            OptionValue::Name(name) => name.fmt(f),
            OptionValue::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl Typed for OptionValue {
    const TYPE: Type = Type::OptionValue;
}

/// What an option takes.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    Switch,
    /// The lowest number and the highest.
    Number(u64, u64),
}

struct Row {
    key: &'static str,
    level: i32,
    number: i32,
    kind: Kind,
}

impl SubflowOption {
    fn row(self) -> Row {
        const WORD: u64 = u32::MAX as u64;
        const POSITIVE: u64 = i32::MAX as u64;
        let row = |key, level, number, kind| Row { key, level, number, kind };
        match self {
            Self::CongestionControl => {
                row("congestion_control", TCP, libc::TCP_CONGESTION, Kind::Name)
            }
            Self::Mark => row("mark", SOCKET, libc::SO_MARK, Kind::Number(0, WORD)),
            Self::Priority => row("priority", SOCKET, libc::SO_PRIORITY, Kind::Number(0, WORD)),
            // Of IPv6, it is another one: see `place`.
            Self::TrafficClass => row("traffic_class", IP, libc::IP_TOS, Kind::Number(0, 255)),
            Self::MaxPacingRate => {
                row("max_pacing_rate", SOCKET, libc::SO_MAX_PACING_RATE, Kind::Number(1, WORD))
            }
            Self::UserTimeout => {
                row("user_timeout", TCP, libc::TCP_USER_TIMEOUT, Kind::Number(0, POSITIVE))
            }
            Self::Keepalive => row("keepalive", SOCKET, libc::SO_KEEPALIVE, Kind::Switch),
            Self::KeepaliveIdle => {
                row("keepalive_idle", TCP, libc::TCP_KEEPIDLE, Kind::Number(1, 32767))
            }
            Self::KeepaliveInterval => {
                row("keepalive_interval", TCP, libc::TCP_KEEPINTVL, Kind::Number(1, 32767))
            }
            Self::KeepaliveCount => {
                row("keepalive_count", TCP, libc::TCP_KEEPCNT, Kind::Number(1, 127))
            }
            Self::SendBuffer => {
                row("send_buffer", SOCKET, libc::SO_SNDBUF, Kind::Number(0, POSITIVE / 2))
            }
            Self::ReceiveBuffer => {
                row("receive_buffer", SOCKET, libc::SO_RCVBUF, Kind::Number(0, POSITIVE / 2))
            }
            Self::NoDelay => row("no_delay", TCP, libc::TCP_NODELAY, Kind::Switch),
            Self::MaxSegment => row("max_segment", TCP, libc::TCP_MAXSEG, Kind::Number(88, 32767)),
            Self::SynCount => row("syn_count", TCP, libc::TCP_SYNCNT, Kind::Number(1, 127)),
            Self::NotSentLowWater => {
                row("not_sent_low_water", TCP, libc::TCP_NOTSENT_LOWAT, Kind::Number(0, WORD))
            }
            Self::WindowClamp => {
                row("window_clamp", TCP, libc::TCP_WINDOW_CLAMP, Kind::Number(1, POSITIVE))
            }
        }
    }

    /// Returns the name of the option in snake case, as the command and JSON spell it.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// Returns the option with that name in snake case.
    pub fn from_key(key: &str) -> Option<SubflowOption> {
        Self::ALL.iter().copied().find(|option| option.key() == key)
    }

    /// Returns the option with that number.
    pub fn from_number(number: i32) -> Option<SubflowOption> {
        Self::ALL.iter().copied().find(|option| *option as i32 == number)
    }

    /// Returns the values that the option accepts, as a phrase.
    pub fn accepted(self) -> String {
        match self.row().kind {
            Kind::Name => "the name of a congestion control".to_owned(),
            Kind::Switch => "true or false".to_owned(),
            Kind::Number(least, most) => format!("a number from {least} to {most}"),
        }
    }

    /// The option's level and number on a subflow of IPv4 or of IPv6.
    fn place(self, is_v4: bool) -> (i32, i32) {
        match self.row() {
            Row { level: IP, .. } if !is_v4 => (IPV6, libc::IPV6_TCLASS),
            Row { level, number, .. } => (level, number),
        }
    }

    /// The step that gets the option.
    pub(crate) fn get_step(self, is_v4: bool) -> OptionStep {
        let (level, number) = self.place(is_v4);
        let length = match self.row().kind {
            Kind::Name => KernelName::ROOM,
            Kind::Switch | Kind::Number(..) => size_of::<i32>(),
        };
        OptionStep::get(level, number, length)
    }

    /// The step that sets the option. Fails if the value is not one that it accepts.
    pub(crate) fn set_step(
        self,
        is_v4: bool,
        value: &OptionValue,
        operation: &'static str,
    ) -> Result<OptionStep> {
        let (level, place) = self.place(is_v4);
        let number = match (self.row().kind, value) {
            (Kind::Number(least, most), OptionValue::Number(number))
                if (least..=most).contains(number) =>
            {
                *number as u32
            }
            (Kind::Switch, OptionValue::Switch(on)) => u32::from(*on),
            // As everywhere in C.
            (Kind::Switch, OptionValue::Number(number @ 0..=1)) => *number as u32,
            (Kind::Name, OptionValue::Name(name))
                if (1..KernelName::ROOM).contains(&name.len()) && !name.contains('\0') =>
            {
                return Ok(OptionStep::set(level, place, name.as_bytes()));
            }
            _ => return Err(self.refused(value, operation)),
        };
        Ok(OptionStep::set(level, place, &number.to_ne_bytes()))
    }

    /// The error for a value that is not accepted.
    pub(crate) fn refused(self, value: &OptionValue, operation: &'static str) -> Error {
        Error::argument(operation, format!("{} does not accept {value}", self.key()))
            .with_remedy(format!("Pass {}.", self.accepted()))
    }

    /// Reads the value out of what the kernel wrote.
    pub(crate) fn decode(self, bytes: &[u8]) -> OptionValue {
        let number = bytes
            .get(..4)
            .map_or(0, |word| u32::from_ne_bytes(word.try_into().unwrap_or_default()));
        match self.row().kind {
            Kind::Name => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                OptionValue::Name(String::from_utf8_lossy(&bytes[..end]).into_owned())
            }
            Kind::Switch => OptionValue::Switch(number != 0),
            Kind::Number(..) => OptionValue::Number(number.into()),
        }
    }

    /// Returns the value that the kernel's table of sockets reports to any process, if it has this option.
    pub(crate) fn reported(self, entry: &DiagSubflow, is_v4: bool) -> Option<OptionValue> {
        let number = match self {
            Self::CongestionControl => {
                return Some(OptionValue::from(entry.congestion_control?.as_str()));
            }
            Self::Mark => entry.mark?.into(),
            Self::TrafficClass if is_v4 => entry.type_of_service?.into(),
            Self::TrafficClass => entry.traffic_class?.into(),
            Self::MaxPacingRate => match entry.tcp.tcpi_max_pacing_rate {
                // Left out by the kernel.
                0 => return None,
                u64::MAX => u64::from(u32::MAX),
                rate => rate,
            },
            Self::SendBuffer => entry.buffers?.1.into(),
            Self::ReceiveBuffer => entry.buffers?.0.into(),
            _ => return None,
        };
        Some(OptionValue::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_found_by_its_number_and_its_name() {
        assert!(SubflowOption::ALL.len() <= crate::sys::bpf::subflow_option::MAX_STEPS);
        for (option, variant) in SubflowOption::ALL.iter().zip(SubflowOption::TABLE.variants) {
            assert_eq!((option.name(), *option as i32), (variant.name, variant.number));
            assert_eq!(SubflowOption::from_number(variant.number), Some(*option));
            assert_eq!(SubflowOption::from_key(option.key()), Some(*option));
            // The range in the documentation is the one that is checked.
            if let Kind::Number(least, most) = option.row().kind {
                let doc = variant.doc.split_whitespace().collect::<Vec<_>>().join(" ");
                // 4294967295 means no limit.
                let most = if *option == SubflowOption::MaxPacingRate { most - 1 } else { most };
                assert!(doc.contains(&format!("{least} to {most}")), "{doc}");
            }
        }
    }

    #[test]
    fn a_value_of_another_type_or_outside_the_range_is_refused_with_the_accepted_ones() {
        let set = |option: SubflowOption, value: OptionValue| option.set_step(true, &value, "test");
        assert!(set(SubflowOption::TrafficClass, 255.into()).is_ok());
        assert!(set(SubflowOption::NoDelay, 1.into()).is_ok());
        for (option, value) in [
            (SubflowOption::TrafficClass, OptionValue::from(256)),
            (SubflowOption::Mark, OptionValue::from(-1)),
            (SubflowOption::Mark, OptionValue::from("42")),
            (SubflowOption::NoDelay, OptionValue::from(2)),
            (SubflowOption::CongestionControl, OptionValue::from("sixteen_letters_")),
            (SubflowOption::CongestionControl, OptionValue::from("")),
        ] {
            let refused = set(option, value).unwrap_err();
            assert!(refused.remedy().contains(&option.accepted()), "{refused}");
        }
    }

    #[test]
    fn text_becomes_a_value_and_back() {
        for text in ["42", "true", "bbr", "0x2a00ff"] {
            assert_eq!(OptionValue::parse(text).to_string(), text);
        }
        assert_eq!(OptionValue::parse("0x2a"), OptionValue::Bytes(vec![0x2a]));
        assert_eq!(OptionValue::parse("off"), OptionValue::Switch(false));
        for text in ["-1", "", "0xé", "0x+1", "18446744073709551616"] {
            assert_eq!(OptionValue::parse(text), OptionValue::from(text));
        }
    }
}
