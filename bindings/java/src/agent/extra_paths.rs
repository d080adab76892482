//! Opens further subflows of the connections that the agent's sockets make, as soon as the
//! connections accept them: the options `via=` and `backup=`.
//!
//! This decides when and how often to try, which is a policy. It stands here until core has
//! policies.
//!
//! One thread does all the work. It follows the events of the namespace, which name a connection by
//! its token. `sock_diag` reports the inode of a token, and `agent_sockets` whether the agent made
//! it.

mod agent_sockets;
mod extra_path;
mod shared_descriptor;

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use jni::objects::{JClass, JLongArray, JObject, JObjectArray, JValue};
use jni::{Env, jni_sig, jni_str};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use subflows::kernel::{KernelEvent, KernelEvents, NetlinkError};
use subflows::{ConnectionsOptions, Error, EventKind, Open, SubflowState};

use crate::error::Failure;
use crate::packed::PackedOptions;
pub(crate) use agent_sockets::remember;
use extra_path::{Client, ExtraPath};
use shared_descriptor::SharedDescriptor;

/// The kernel keeps some 256 events by default: fewer than a burst of connections makes.
const BUFFER: i32 = 1 << 20;
/// So many datagrams of events are read before something else is done.
const DATAGRAMS: usize = 256;
/// Events are lost in bursts, and what was lost is asked for when one is over.
const AFTER_LOSS: Duration = Duration::from_millis(100);

/// Opens these further subflows of the connections that the agent's sockets make, and tells each
/// thing that does not work out once. Ends only where events can no longer be had.
pub(crate) fn follow(
    env: &mut Env<'_>,
    _: JClass<'_>,
    paths: JObjectArray<'_, JLongArray<'_>>,
    tell: JObject<'_>,
) -> Result<(), Failure> {
    let failed_to_open = |error: io::Error| Failure::Os("open", error.raw_os_error().unwrap_or(0));
    let descriptor = SharedDescriptor::new().map_err(failed_to_open)?;
    let mut wanted = Vec::new();
    for index in 0..paths.len(env)? {
        let options = paths.get_element(env, index)?;
        wanted.push(ExtraPath::new(PackedOptions::options::<Open>(env, &options)?, &descriptor));
    }
    let events = KernelEvents::subscribe().map_err(failed)?;
    events.set_buffer(BUFFER);
    // What came before the first event is asked for as what was lost is.
    let mut follower = Follower { events, paths: wanted, resync_at: Some(Instant::now()) };
    let mut told = HashSet::new();
    loop {
        follower.listen()?;
        follower.step(|options, error| {
            // Two paths that are alike are told of as one.
            let path = options.map(|options| format!("{options:?}"));
            if told.insert((path, error.kind())) {
                say(env, &tell, &error.to_string());
            }
        });
        follower.wait()?;
    }
}

fn failed(refusal: NetlinkError) -> Failure {
    Failure::Os("events", refusal.errno)
}

/// Reports to the listener, which may throw: this thread goes on.
fn say(env: &Env<'_>, tell: &JObject<'_>, what: &str) {
    let said = env.with_local_frame(4, |env| -> jni::errors::Result<()> {
        let what = JObject::from(env.new_string(what)?);
        let signature = jni_sig!((what: java.lang.Object));
        env.call_method(tell, jni_str!("accept"), signature, &[JValue::Object(&what)])?;
        Ok(())
    });
    if said.is_err() {
        env.exception_clear();
    }
}

struct Follower<'fd> {
    events: KernelEvents,
    paths: Vec<ExtraPath<'fd>>,
    /// When to look for what the events did not tell.
    resync_at: Option<Instant>,
}

impl Follower<'_> {
    /// Hears what has happened.
    fn listen(&mut self) -> Result<(), Failure> {
        let mut heard = Vec::new();
        for _ in 0..DATAGRAMS {
            match self.events.take(|event| heard.push(event)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(refusal) if refusal.errno == Errno::ENOBUFS as i32 => {
                    self.resync_at.get_or_insert(Instant::now() + AFTER_LOSS);
                }
                Err(refusal) => return Err(failed(refusal)),
            }
        }
        for event in heard {
            self.hear(&event);
        }
        Ok(())
    }

    fn hear(&mut self, event: &KernelEvent) {
        let Some(token) = event.token.filter(|_| !event.is_server) else { return };
        self.paths.iter_mut().for_each(|path| path.hear(token));
        if event.kind == EventKind::Established as u8 {
            // One that is over already is nobody's.
            if let Ok(connection) = subflows::connection(token) {
                self.want(connection.inode, token);
            }
        }
    }

    /// The connection takes further subflows, if it is ours.
    fn want(&mut self, inode: u32, token: u32) {
        if let Some(socket) = agent_sockets::by_inode(inode) {
            self.paths.iter_mut().for_each(|path| path.want(Client { socket, token }));
        }
    }

    /// Does what is due. What does not work out it tells, and of which path.
    fn step(&mut self, mut tell: impl FnMut(Option<&Open>, &Error)) {
        if self.resync_at.is_some_and(|at| at <= Instant::now()) {
            self.resync_at = None;
            match subflows::connections(&ConnectionsOptions::new()) {
                Ok(all) => {
                    // The others are told of when they are.
                    let made = all.iter().filter(|it| it.state == SubflowState::Established);
                    made.for_each(|it| self.want(it.inode, it.token));
                }
                Err(error) => tell(None, &error),
            }
        }
        for path in &mut self.paths {
            path.step(|options, error| tell(Some(options), error));
        }
    }

    fn wait(&self) -> Result<(), Failure> {
        let due = self.paths.iter().filter_map(ExtraPath::due).chain(self.resync_at).min();
        let timeout = due.map_or(PollTimeout::NONE, |due| {
            let left = due.saturating_duration_since(Instant::now());
            // Never woken before the time, only to find that it is not.
            let millis = left.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        let mut watched = [PollFd::new(self.events.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(Failure::Os("events", error as i32)),
        }
    }
}
