//! A client of the check service, from its connection to the end of its answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::Rules;
use super::answer::Seen;
use super::request::{self, Asked, LONGEST, Request};

/// How often to look for further subflows before the answer. A look costs several system calls.
const LOOK: Duration = Duration::from_millis(20);
/// How long to read after the answer. A close while data waits would be a reset, which could overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// What the client does next.
pub(super) enum Next {
    /// It goes on.
    Goes,
    /// It goes on, and its answer is being written.
    Answers(Box<Seen>),
    /// It is done, or has failed.
    Ends,
}

enum State {
    /// The request is being read.
    Asks(Vec<u8>),
    /// Waits for further subflows.
    Waits { asked: Asked, looks_at: Instant, until: Instant },
    /// The answer is being written, from this byte on.
    Hears(Vec<u8>, usize),
    /// What the client still sends is thrown away.
    Leaves,
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    state: State,
    deadline: Instant,
    wait: Duration,
}

impl Client {
    pub(super) fn new(stream: TcpStream, now: Instant, rules: Rules) -> Client {
        let state = State::Asks(Vec::new());
        Client { stream, state, deadline: now + rules.timeout, wait: rules.wait }
    }

    /// Whether it has not asked yet, or has its answer, so that it may be dropped for another.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Asks(_) | State::Leaves)
    }

    pub(super) fn wants(&self) -> PollFlags {
        match self.state {
            State::Asks(_) | State::Leaves => PollFlags::IN,
            State::Waits { .. } => PollFlags::empty(),
            State::Hears(..) => PollFlags::OUT,
        }
    }

    pub(super) fn wakes_at(&self) -> Instant {
        match self.state {
            State::Waits { looks_at, .. } => self.deadline.min(looks_at),
            _ => self.deadline,
        }
    }

    pub(super) fn step(&mut self, now: Instant, is_ready: bool) -> Next {
        if now >= self.deadline {
            return Next::Ends;
        }
        match self.go_on(now, is_ready) {
            Ok(next) => next,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Goes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Next::Goes,
            Err(_) => Next::Ends,
        }
    }

    fn go_on(&mut self, now: Instant, is_ready: bool) -> io::Result<Next> {
        match &mut self.state {
            State::Waits { looks_at, .. } if now < *looks_at => Ok(Next::Goes),
            State::Waits { asked, looks_at, until } => {
                let seen = Seen::by(&self.stream)?;
                if seen.may_grow() && now < *until {
                    *looks_at = (now + LOOK).min(*until);
                    return Ok(Next::Goes);
                }
                self.state = State::Hears(seen.answer(*asked), 0);
                Ok(Next::Answers(Box::new(seen)))
            }
            _ if !is_ready => Ok(Next::Goes),
            State::Asks(text) => {
                let mut room = [0; 2048];
                let length = self.stream.read(&mut room)?;
                if length == 0 {
                    return Ok(Next::Ends);
                }
                text.extend_from_slice(&room[..length.min(LONGEST + 1 - text.len())]);
                match request::parse(text) {
                    Request::Partial => {}
                    Request::Complete(asked) => {
                        self.state = State::Waits { asked, looks_at: now, until: now + self.wait };
                        return self.go_on(now, is_ready);
                    }
                    Request::Refused(answer) => {
                        self.state = State::Hears(answer.into_bytes(), 0);
                    }
                }
                Ok(Next::Goes)
            }
            State::Hears(answer, written) => {
                *written += self.stream.write(&answer[*written..])?;
                if *written == answer.len() {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.state = State::Leaves;
                    self.deadline = self.deadline.min(now + LINGER);
                }
                Ok(Next::Goes)
            }
            State::Leaves => match self.stream.read(&mut [0; 2048])? {
                0 => Ok(Next::Ends),
                _ => Ok(Next::Goes),
            },
        }
    }
}
