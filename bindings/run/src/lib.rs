//! The messages between a program under `subflows run`, by the library that is loaded before it, and `subflows run`
//! itself, which acts for it.
//!
//! A Unix socket (`SOCK_SEQPACKET`) whose path is in the environment carries one request, with a descriptor if the
//! table requires one, and one answer. Then the library closes it: it keeps no descriptor, so it also works in programs
//! that close all descriptors, or fork. Nothing here allocates.
//!
//! | request | with | answer |
//! |---|---|---|
//! | [`Request::Control`] | a new socket | that the program controls it; a descriptor if another socket replaces it |
//! | [`Request::Connected`] | the socket | nothing: its paths are opened as soon as that is possible |
//! | [`Request::Closed`] | | nothing: no descriptor of that socket is kept, unless the program has another one |
//! | [`Request::Get`] | the socket | the value of an option of the enhanced socket API |
//! | [`Request::Set`] | the socket | nothing |
//! | [`Request::GetOfSubflow`] | the socket | the value of an option of one subflow |
//! | [`Request::SetOfSubflow`] | the socket | nothing |
//! | [`Request::Counters`] | the socket | part 0: those of the connection; then each subflow's, and its addresses |

mod destination;

pub use destination::{Destination, List, is_wanted};

/// The variable of the environment with the path of the socket.
pub const VARIABLE: &str = "SUBFLOWS_RUN_SOCKET";
/// The variable that is set if the options of the enhanced socket API are answered.
pub const ENHANCED: &str = "SUBFLOWS_RUN_ENHANCED";
/// The variable with the file that receives a line for each connection.
pub const REPORT: &str = "SUBFLOWS_RUN_REPORT";
/// The variable with the destinations that are connected to by Multipath TCP. Without it, all are.
pub const ONLY: &str = "SUBFLOWS_RUN_ONLY";
/// The variable with the destinations that are connected to by TCP.
pub const NOT: &str = "SUBFLOWS_RUN_NOT";
/// The variable that is set if listening sockets use Multipath TCP also with [`ONLY`].
pub const SERVER: &str = "SUBFLOWS_RUN_SERVER";

/// The name of the socket, in a folder of its own.
pub const SOCKET: &str = "socket";
/// The name of the file in the same folder that each process locks, for as long as it uses the socket.
pub const LOCK: &str = "lock";

/// The length of a request.
pub const REQUEST: usize = 160;
/// The longest value of an option.
pub const VALUE: usize = 128;
/// The length of an answer.
pub const ANSWER: usize = 8 + LONG_VALUE;
/// The longest value in an answer: `struct tcp_info` of today and later.
pub const LONG_VALUE: usize = 512;

/// The version, the first number of a request.
const VERSION: u32 = 1;

/// The value of an option, or as much of it as there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Value<N> {
    /// The first bytes of these.
    pub fn of(bytes: &[u8]) -> Self {
        let length = bytes.len().min(N);
        let mut value = Value { bytes: [0; N], length };
        value.bytes[..length].copy_from_slice(&bytes[..length]);
        value
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What the program asks for. Numbers are those of the system's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    Control,
    Connected,
    Closed { cookie: u64 },
    Get { option: i32, value: Value<VALUE>, room: u32 },
    Set { option: i32, value: Value<VALUE> },
    GetOfSubflow { id: u8, level: i32, option: i32, room: u32 },
    SetOfSubflow { id: u8, level: i32, option: i32, value: Value<VALUE> },
    Counters { part: u32, length: u32 },
}

impl Request {
    /// Whether a descriptor comes with the request.
    pub fn has_socket(&self) -> bool {
        !matches!(self, Request::Closed { .. })
    }

    /// The message.
    pub fn encode(&self) -> [u8; REQUEST] {
        let none = Value::of(&[]);
        let (kind, numbers, value): (u32, [u32; 3], Value<VALUE>) = match *self {
            Request::Control => (1, [0; 3], none),
            Request::Connected => (2, [0; 3], none),
            Request::Closed { cookie } => (3, [0; 3], Value::of(&cookie.to_ne_bytes())),
            Request::Get { option, value, room } => (4, [option as u32, room, 0], value),
            Request::Set { option, value } => (5, [option as u32, 0, 0], value),
            Request::GetOfSubflow { id, level, option, room } => {
                (6, [level as u32, option as u32, room], Value::of(&[id]))
            }
            Request::SetOfSubflow { id, level, option, value } => {
                (7, [level as u32, option as u32, id.into()], value)
            }
            Request::Counters { part, length } => (8, [part, length, 0], none),
        };
        let mut message = [0; REQUEST];
        let head = [VERSION, kind, numbers[0], numbers[1], numbers[2], value.length as u32];
        for (place, number) in message.chunks_exact_mut(4).zip(head) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        message[REQUEST - VALUE..].copy_from_slice(&value.bytes);
        message
    }

    /// Reads a message. `None` if it is not a request.
    pub fn parse(message: &[u8]) -> Option<Request> {
        let message: &[u8; REQUEST] = message.try_into().ok()?;
        let number = |index: usize| {
            let bytes = message[4 * index..4 * index + 4].try_into().unwrap_or([0; 4]);
            u32::from_ne_bytes(bytes)
        };
        let length = usize::try_from(number(5)).ok().filter(|length| *length <= VALUE)?;
        let value = Value::of(&message[REQUEST - VALUE..][..length]);
        let signed = |index| number(index) as i32;
        if number(0) != VERSION {
            return None;
        }
        Some(match number(1) {
            1 => Request::Control,
            2 => Request::Connected,
            3 => Request::Closed { cookie: u64::from_ne_bytes(value.bytes().try_into().ok()?) },
            4 => Request::Get { option: signed(2), value, room: number(3) },
            5 => Request::Set { option: signed(2), value },
            6 => {
                let (level, option, room) = (signed(2), signed(3), number(4));
                Request::GetOfSubflow { id: *value.bytes().first()?, level, option, room }
            }
            7 => {
                let (level, option) = (signed(2), signed(3));
                let id = u8::try_from(number(4)).ok()?;
                Request::SetOfSubflow { id, level, option, value }
            }
            8 => Request::Counters { part: number(2), length: number(3) },
            _ => return None,
        })
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0, or the number of the error.
    pub error: i32,
    /// The value that was asked for.
    pub value: Value<LONG_VALUE>,
}

impl Answer {
    /// The message.
    pub fn encode(&self) -> [u8; ANSWER] {
        let mut message = [0; ANSWER];
        message[..4].copy_from_slice(&self.error.to_ne_bytes());
        message[4..8].copy_from_slice(&(self.value.length as u32).to_ne_bytes());
        message[8..].copy_from_slice(&self.value.bytes);
        message
    }

    /// Reads a message. `None` if it is not an answer.
    pub fn parse(message: &[u8]) -> Option<Answer> {
        let message: &[u8; ANSWER] = message.try_into().ok()?;
        let error = i32::from_ne_bytes(message[..4].try_into().ok()?);
        let length = u32::from_ne_bytes(message[4..8].try_into().ok()?) as usize;
        let value = message[8..].get(..length)?;
        Some(Answer { error, value: Value::of(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = Value::of(&[1, 2, 3]);
        for request in [
            Request::Control,
            Request::Connected,
            Request::Closed { cookie: u64::MAX - 1 },
            Request::Get { option: 66, value, room: 70 },
            Request::Set { option: 44, value },
            Request::GetOfSubflow { id: 31, level: 6, option: 11, room: 280 },
            Request::SetOfSubflow { id: 2, level: -1, option: 18, value },
            Request::Counters { part: 3, length: 280 },
        ] {
            assert_eq!(Request::parse(&request.encode()), Some(request));
        }
        let answer = Answer { error: 95, value: Value::of(&[7; LONG_VALUE]) };
        assert_eq!(Answer::parse(&answer.encode()), Some(answer));
    }

    #[test]
    fn other_bytes_are_no_message() {
        let message = Request::Connected.encode();
        assert_eq!(Request::parse(&message[..REQUEST - 1]), None);
        for (place, byte) in [(0, 9), (4, 9), (20, 255)] {
            let mut wrong = message;
            wrong[place] = byte;
            assert_eq!(Request::parse(&wrong), None, "{place}");
        }
        let mut answer = Answer { error: 0, value: Value::of(&[]) }.encode();
        answer[5] = 255;
        assert_eq!(Answer::parse(&answer), None);
    }
}
