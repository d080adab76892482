//! The messages between a program and the broker: see PROTOCOL.md. Both ends use this file.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

pub use super::layout::Malformed;
use super::layout::{Reader, Writer};
use crate::error::{Error, ErrorKind};

/// The version of the protocol.
pub const VERSION: u16 = 1;
/// The first bytes of every message: `sbfl`.
const MAGIC: u32 = u32::from_le_bytes(*b"sbfl");
/// The length of a request without the options of [`Act::Options`].
pub const REQUEST: usize = 128;
/// The length of an answer without the options of [`Act::Options`].
pub const ANSWER: usize = 1024;
/// The most options of one request.
pub const STEPS: usize = 24;
/// The longest value of an option.
pub const ROOM: usize = 40;
const STEP: usize = 16 + ROOM;
const OUTCOME: usize = 8 + ROOM;
/// The length of the longest message of either end.
pub const LONGEST: usize = ANSWER + STEPS * OUTCOME;

const KERNEL_TEXT: usize = 200;
const DETAIL: usize = 392;
const REMEDY: usize = 400;
const _: () = assert!(REQUEST + STEPS * STEP <= LONGEST);

/// Declares the acts that a request can name: their numbers and names.
macro_rules! verbs {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Verb { $($name = $number),* }

        impl Verb {
            /// Every verb.
            pub const ALL: &'static [Verb] = &[$(Verb::$name),*];

            fn from_number(number: u16) -> Option<Verb> {
                match number { $($number => Some(Verb::$name),)* _ => None }
            }

            /// The name in the policy and in the audit lines.
            pub const fn name(self) -> &'static str {
                match self { $(Verb::$name => $text),* }
            }
        }
    };
}

verbs! {
    TakeControl = 1, "take_control";
    Create = 2, "create";
    Destroy = 3, "destroy";
    Abort = 4, "abort";
    SetBackup = 5, "set_backup";
    Announce = 6, "announce";
    Withdraw = 7, "withdraw";
    Remove = 8, "remove";
    PathManager = 9, "path_manager";
    Events = 10, "events";
    Check = 11, "check";
    Options = 12, "options";
}

/// A local end: of a subflow to open, or an address to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Local {
    pub ip: IpAddr,
    pub port: u16,
    pub id: u8,
    pub interface: u32,
    pub is_backup: bool,
}

/// An option to get or to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Step {
    pub is_set: bool,
    pub level: i32,
    pub number: i32,
    pub length: u32,
    pub value: [u8; ROOM],
}

/// What came of a [`Step`]: 0 or a negative error number, and the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Outcome {
    pub result: i32,
    pub length: u32,
    pub value: [u8; ROOM],
}

/// An act with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Act {
    TakeControl,
    Create { token: u32, local: Local, remote: SocketAddr },
    Destroy { token: u32, local: SocketAddr, remote: SocketAddr },
    Abort { local: SocketAddr, remote: SocketAddr, interface: u32, cookie: u64 },
    SetBackup { token: u32, local: SocketAddr, remote: SocketAddr, is_backup: bool },
    Announce { token: u32, local: Local },
    Withdraw { handle: u32 },
    Remove { token: u32, id: u8 },
    PathManager { token: u32 },
    Events,
    Check { right: u16 },
    Options { cookie: u64, steps: Vec<Step> },
}

impl Act {
    /// Returns the verb.
    pub fn verb(&self) -> Verb {
        match self {
            Act::TakeControl => Verb::TakeControl,
            Act::Create { .. } => Verb::Create,
            Act::Destroy { .. } => Verb::Destroy,
            Act::Abort { .. } => Verb::Abort,
            Act::SetBackup { .. } => Verb::SetBackup,
            Act::Announce { .. } => Verb::Announce,
            Act::Withdraw { .. } => Verb::Withdraw,
            Act::Remove { .. } => Verb::Remove,
            Act::PathManager { .. } => Verb::PathManager,
            Act::Events => Verb::Events,
            Act::Check { .. } => Verb::Check,
            Act::Options { .. } => Verb::Options,
        }
    }
}

/// A request. Its number is repeated in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Request {
    pub number: u64,
    pub act: Act,
}

/// The fields of a request in the order of their places. A verb leaves those that it does not use at zero.
#[derive(Default)]
struct Fields {
    token: u32,
    flags: u32,
    cookie: u64,
    interface: u32,
    id: u8,
    steps: u8,
    right: u16,
    handle: u32,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

const BACKUP: u32 = 1;

impl Request {
    /// Returns the bytes of the request.
    pub fn encode(&self) -> Vec<u8> {
        let fields = self.fields();
        let mut out = Writer::default();
        out.u32(MAGIC).u16(VERSION).u16(self.act.verb() as u16).u64(self.number);
        out.u32(fields.token).u32(fields.flags).u64(fields.cookie).u32(fields.interface);
        out.u8(fields.id).u8(fields.steps).u16(fields.right).u32(fields.handle);
        out.end(fields.local).end(fields.remote).fill(REQUEST);
        if let Act::Options { steps, .. } = &self.act {
            for step in steps {
                out.u32(step.is_set.into()).u32(step.level as u32).u32(step.number as u32);
                out.u32(step.length).bytes(&step.value);
            }
            out.fill(REQUEST + STEPS * STEP);
        }
        out.into_bytes()
    }

    fn fields(&self) -> Fields {
        let flags = |is_backup: bool| if is_backup { BACKUP } else { 0 };
        let of = |local: &Local| Fields {
            flags: flags(local.is_backup),
            interface: local.interface,
            id: local.id,
            local: Some(SocketAddr::new(local.ip, local.port)),
            ..Fields::default()
        };
        let none = Fields::default();
        match self.act {
            Act::TakeControl | Act::Events => none,
            Act::Create { token, ref local, remote } => {
                Fields { token, remote: Some(remote), ..of(local) }
            }
            Act::Announce { token, ref local } => Fields { token, ..of(local) },
            Act::Destroy { token, local, remote } => {
                Fields { token, local: Some(local), remote: Some(remote), ..none }
            }
            Act::Abort { local, remote, interface, cookie } => {
                Fields { local: Some(local), remote: Some(remote), interface, cookie, ..none }
            }
            Act::SetBackup { token, local, remote, is_backup } => Fields {
                token,
                flags: flags(is_backup),
                local: Some(local),
                remote: Some(remote),
                ..none
            },
            Act::Withdraw { handle } => Fields { handle, ..none },
            Act::Remove { token, id } => Fields { token, id, ..none },
            Act::PathManager { token } => Fields { token, ..none },
            Act::Check { right } => Fields { right, ..none },
            Act::Options { cookie, ref steps } => {
                Fields { cookie, steps: steps.len() as u8, ..none }
            }
        }
    }

    /// Reads a request. It is one only if it has exactly the bytes that [`encode`](Self::encode) returns:
    /// what a verb does not use is zero.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Request, Malformed> {
        let mut input = Reader(bytes);
        if input.u32()? != MAGIC {
            return Err(Malformed::Message);
        }
        match input.u16()? {
            VERSION => {}
            other => return Err(Malformed::Version(other)),
        }
        let verb = Verb::from_number(input.u16()?).ok_or(Malformed::Message)?;
        let number = input.u64()?;
        let (token, flags, cookie) = (input.u32()?, input.u32()?, input.u64()?);
        let (interface, id, count) = (input.u32()?, input.u8()?, input.u8()?);
        let (right, handle) = (input.u16()?, input.u32()?);
        let (local, remote) = (input.end()?, input.end()?);
        let is_backup = flags & BACKUP != 0;
        let needed = |end: Option<SocketAddr>| end.ok_or(Malformed::Message);
        let own =
            |end: SocketAddr| Local { ip: end.ip(), port: end.port(), id, interface, is_backup };
        let act = match verb {
            Verb::TakeControl => Act::TakeControl,
            Verb::Create => {
                Act::Create { token, local: own(needed(local)?), remote: needed(remote)? }
            }
            Verb::Destroy => Act::Destroy { token, local: needed(local)?, remote: needed(remote)? },
            Verb::Abort => {
                Act::Abort { local: needed(local)?, remote: needed(remote)?, interface, cookie }
            }
            Verb::SetBackup => {
                Act::SetBackup { token, local: needed(local)?, remote: needed(remote)?, is_backup }
            }
            Verb::Announce => Act::Announce { token, local: own(needed(local)?) },
            Verb::Withdraw => Act::Withdraw { handle },
            Verb::Remove => Act::Remove { token, id },
            Verb::PathManager => Act::PathManager { token },
            Verb::Events => Act::Events,
            Verb::Check => Act::Check { right },
            Verb::Options => {
                let mut input = Reader(bytes.get(REQUEST..).ok_or(Malformed::Message)?);
                let count = usize::from(count);
                if count > STEPS {
                    return Err(Malformed::Message);
                }
                let steps = (0..count).map(|_| input.step()).collect::<Result<_, _>>()?;
                Act::Options { cookie, steps }
            }
        };
        let request = Request { number, act };
        if request.encode() == bytes { Ok(request) } else { Err(Malformed::Message) }
    }
}

/// An error as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Refusal {
    pub kind: ErrorKind,
    pub errno: i32,
    pub kernel_text: String,
    pub detail: String,
    pub remedy: String,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Refusal {
        Refusal {
            kind: error.kind(),
            errno: error.raw_os_error().unwrap_or(0),
            kernel_text: error.kernel_text().unwrap_or_default().to_owned(),
            detail: error.detail_text().unwrap_or_default().to_owned(),
            remedy: match error.remedy() {
                usual if usual == error.kind().remedy() => String::new(),
                other => other.to_owned(),
            },
        }
    }
}

impl Refusal {
    /// Returns the error of that operation.
    pub(crate) fn error(self, operation: &'static str) -> Error {
        let mut error = Error::new(self.kind, operation);
        if self.errno != 0 {
            error = error.errno(self.errno);
        }
        if !self.kernel_text.is_empty() {
            error = error.kernel(Some(self.kernel_text.into()));
        }
        if !self.detail.is_empty() {
            error = error.detail(self.detail);
        }
        if self.remedy.is_empty() { error } else { error.with_remedy(self.remedy) }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Answer {
    pub number: u64,
    /// A number that the verb returns, or why there is none.
    pub result: Result<u32, Refusal>,
    /// What came of the options, for [`Act::Options`] only.
    pub outcomes: Option<Vec<Outcome>>,
}

impl Answer {
    /// Returns the bytes of the answer. Texts that are too long end earlier.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(MAGIC).u16(VERSION);
        match &self.result {
            Ok(value) => out.u16(0).u64(self.number).u32(0).u32(*value),
            Err(refusal) => {
                out.u16(refusal.kind.code() as u16).u64(self.number);
                out.u32(refusal.errno as u32).u32(0)
            }
        };
        out.u8(self.outcomes.as_ref().map_or(0, |outcomes| outcomes.len() as u8)).fill(32);
        if let Err(refusal) = &self.result {
            out.text(&refusal.kernel_text, KERNEL_TEXT).text(&refusal.detail, DETAIL);
            out.text(&refusal.remedy, REMEDY);
        }
        out.fill(ANSWER);
        if let Some(outcomes) = &self.outcomes {
            for outcome in outcomes {
                out.u32(outcome.result as u32).u32(outcome.length).bytes(&outcome.value);
            }
            out.fill(ANSWER + STEPS * OUTCOME);
        }
        out.into_bytes()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Answer, Malformed> {
        let mut input = Reader(bytes);
        if input.u32()? != MAGIC {
            return Err(Malformed::Message);
        }
        match input.u16()? {
            VERSION => {}
            other => return Err(Malformed::Version(other)),
        }
        let code = input.u16()?;
        let number = input.u64()?;
        let (errno, value) = (input.u32()? as i32, input.u32()?);
        let count = usize::from(input.u8()?);
        input.skip(7)?;
        let result = match code {
            0 => Ok(value),
            code => Err(Refusal {
                // A newer broker may know more kinds.
                kind: ErrorKind::from_code(code.into()).unwrap_or(ErrorKind::Os),
                errno,
                kernel_text: input.text(KERNEL_TEXT)?,
                detail: input.text(DETAIL)?,
                remedy: input.text(REMEDY)?,
            }),
        };
        let outcomes = match bytes.len() {
            ANSWER if count == 0 => None,
            LONGEST if count <= STEPS => {
                let mut input = Reader(&bytes[ANSWER..]);
                Some((0..count).map(|_| input.outcome()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed::Message),
        };
        Ok(Answer { number, result, outcomes })
    }
}

impl Reader<'_> {
    fn step(&mut self) -> Result<Step, Malformed> {
        let is_set = self.u32()? != 0;
        let (level, number) = (self.u32()? as i32, self.u32()? as i32);
        let length = self.u32()?;
        let value = self.array()?;
        if length as usize > ROOM {
            return Err(Malformed::Message);
        }
        Ok(Step { is_set, level, number, length, value })
    }

    fn outcome(&mut self) -> Result<Outcome, Malformed> {
        let (result, length, value) = (self.u32()? as i32, self.u32()?, self.array()?);
        if length as usize > ROOM {
            return Err(Malformed::Message);
        }
        Ok(Outcome { result, length, value })
    }

    /// An address and its port: family (0 for none, 4, 6), port, scope, 16 bytes.
    fn end(&mut self) -> Result<Option<SocketAddr>, Malformed> {
        let (family, port, scope) = (self.u16()?, self.u16()?, self.u32()?);
        let bytes = self.array::<16>()?;
        match family {
            0 => Ok(None),
            4 => {
                let ip: [u8; 4] = [bytes[0], bytes[1], bytes[2], bytes[3]];
                Ok(Some(SocketAddr::from((ip, port))))
            }
            6 => Ok(Some(SocketAddrV6::new(bytes.into(), port, 0, scope).into())),
            _ => Err(Malformed::Message),
        }
    }
}

impl Writer {
    fn end(&mut self, end: Option<SocketAddr>) -> &mut Writer {
        match end {
            None => self.bytes(&[0; 24]),
            Some(SocketAddr::V4(v4)) => {
                self.u16(4).u16(v4.port()).u32(0).bytes(&v4.ip().octets()).bytes(&[0; 12])
            }
            Some(SocketAddr::V6(v6)) => {
                self.u16(6).u16(v6.port()).u32(v6.scope_id()).bytes(&v6.ip().octets())
            }
        }
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
