//! Opens further subflows of the connections that the agent's sockets make, as soon as the
//! connections accept them: the options `via=` and `backup=`.
//!
//! This decides when and how often to try, which is a policy. It will move to core, together with
//! core's policies.
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

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject, JObjectArray};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use subflows::kernel::{KernelEvent, KernelEvents, NetlinkError};
use subflows::{ConnectionsOptions, Error, EventKind, Open, SubflowState};

use crate::error::Failure;
use crate::option;
use crate::packed::PackedOptions;
use crate::wait;
pub(crate) use agent_sockets::remember;
use extra_path::{Client, ExtraPath};
use shared_descriptor::SharedDescriptor;

/// In bytes. By default the kernel keeps about 256 events: fewer than a burst of connections makes.
const BUFFER: i32 = 1 << 20;
/// How many datagrams of events are read before other work is done.
const DATAGRAMS: usize = 256;
/// After this time a burst of events, in which some were lost, is taken to be over. Then the
/// connections are listed.
const AFTER_LOSS: Duration = Duration::from_millis(100);

/// Opens these further subflows of the connections that the agent's sockets make, and reports each
/// failure once. Returns only if events can no longer be read.
pub(crate) fn follow(
    env: &mut Env<'_>,
    _: JClass<'_>,
    paths: JObjectArray<'_, JLongArray<'_>>,
    report: JObject<'_>,
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
    // Connections that were made before the first event are found as after a loss.
    let mut follower = Follower { events, paths: wanted, resync_at: Some(Instant::now()) };
    let mut reported = HashSet::new();
    loop {
        follower.read_events()?;
        follower.step(|options, error| {
            // Two paths with the same options are reported as one.
            let path = options.map(|options| format!("{options:?}"));
            if reported.insert((path, error.kind())) {
                option::call(env, &report, &error.to_string());
            }
        });
        follower.wait()?;
    }
}

fn failed(error: NetlinkError) -> Failure {
    Failure::Os("events", error.errno)
}

struct Follower<'fd> {
    events: KernelEvents,
    paths: Vec<ExtraPath<'fd>>,
    /// When to list the connections, to find those whose events were lost.
    resync_at: Option<Instant>,
}

impl Follower<'_> {
    /// Reads the events that have come, without waiting.
    fn read_events(&mut self) -> Result<(), Failure> {
        let mut events = Vec::new();
        for _ in 0..DATAGRAMS {
            match self.events.take(|event| events.push(event)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.errno == Errno::ENOBUFS as i32 => {
                    self.resync_at.get_or_insert(Instant::now() + AFTER_LOSS);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        for event in events {
            self.on_event(&event);
        }
        Ok(())
    }

    fn on_event(&mut self, event: &KernelEvent) {
        let Some(token) = event.token.filter(|_| !event.is_server) else { return };
        self.paths.iter_mut().for_each(|path| path.on_event(token));
        if event.kind == EventKind::Established as u8 {
            // A connection that is over already needs no further path.
            if let Ok(connection) = subflows::connection(token) {
                self.want(connection.inode, token);
            }
        }
    }

    /// The connection accepts further subflows: each path is opened for it, if the agent made its
    /// socket.
    fn want(&mut self, inode: u32, token: u32) {
        if let Some(socket) = agent_sockets::by_inode(inode) {
            self.paths.iter_mut().for_each(|path| path.want(Client { socket, token }));
        }
    }

    /// Does what is due, and reports failures, each with its path.
    fn step(&mut self, mut report: impl FnMut(Option<&Open>, &Error)) {
        if self.resync_at.is_some_and(|at| at <= Instant::now()) {
            self.resync_at = None;
            match subflows::connections(&ConnectionsOptions::new()) {
                Ok(all) => {
                    // The event of the others is still to come.
                    let established = all.iter().filter(|it| it.state == SubflowState::Established);
                    established.for_each(|it| self.want(it.inode, it.token));
                }
                Err(error) => report(None, &error),
            }
        }
        for path in &mut self.paths {
            path.step(|options, error| report(Some(options), error));
        }
    }

    fn wait(&self) -> Result<(), Failure> {
        let due = self.paths.iter().filter_map(ExtraPath::due).chain(self.resync_at).min();
        let timeout = due.map_or(PollTimeout::NONE, wait::timeout);
        let mut watched = [PollFd::new(self.events.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(Failure::Os("events", error as i32)),
        }
    }
}
