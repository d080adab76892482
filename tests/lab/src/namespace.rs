//! Network namespaces that live inside this process and vanish with their last handle.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let namespace = subflows_lab::Namespace::new()?;
//! namespace.ip(&["address", "add", "192.0.2.1/24", "dev", "lo"])?;
//! let listener = namespace.run(|| std::net::TcpListener::bind("192.0.2.1:0"))?;
//! # Ok(())
//! # }
//! ```
//!
//! A network namespace belongs to a thread, not to a process. `/proc/sys/net` follows the calling
//! thread, but `/proc/net` follows the first thread of the process: read `/proc/thread-self/net`
//! instead. `/sys/class/net` always shows the namespace in which /sys was mounted.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic;
use std::process::{self, Command};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};

use crate::kernel::has_sysctl;
use crate::sys::{interface, process as child};
use crate::tools;

/// The namespace of the calling thread. `/proc/self` would be that of the first thread.
const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";

/// Settings for tests in a namespace. Those that a kernel lacks are skipped.
const SETTINGS: [(&str, &str); 16] = [
    // The machine's default may be bbr, which collapses on a cable without delay.
    ("net/ipv4/tcp_congestion_control", "reno"),
    // One lost SYN must not make all later connections plain TCP.
    ("net/mptcp/blackhole_timeout", "0"),
    // A SYN that a busy machine repeats stays Multipath TCP. See `fall_back_by_syns`.
    ("net/mptcp/syn_retrans_before_tcp_fallback", "100"),
    // New namespaces copy the machine's filter; only routers that configure a filter must have one.
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    // IPv6 addresses must be usable at once, and must outlive a pulled cable.
    ("net/ipv6/conf/all/accept_dad", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv6/conf/all/dad_transmits", "0"),
    ("net/ipv6/conf/default/dad_transmits", "0"),
    ("net/ipv6/conf/all/keep_addr_on_down", "1"),
    ("net/ipv6/conf/default/keep_addr_on_down", "1"),
    // No router answers solicitations here: this keeps them out of the wires' counters.
    ("net/ipv6/conf/all/router_solicitations", "0"),
    ("net/ipv6/conf/default/router_solicitations", "0"),
    ("net/ipv6/conf/all/accept_ra", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    // Addresses that the test has not added must not appear in lists.
    ("net/ipv6/conf/default/autoconf", "0"),
];

/// A handle to a network namespace. Clones are handles to the same namespace, which ends with the
/// last of its handles, threads, children and sockets. Closed connections whose cable was pulled
/// may keep it for another minute.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
    /// Present if the lab has made the namespace: the last handle shortens the life of closed
    /// connections.
    _end: Option<Arc<HurriedEnd>>,
}

impl Namespace {
    /// Makes an empty namespace whose `lo` is up, with reno, without reverse-path filters, MPTCP
    /// black hole detection and IPv6 duplicate address detection.
    pub fn new() -> io::Result<Namespace> {
        let file = on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            interface::bring_up("lo")?;
            for (key, value) in SETTINGS {
                match write_sysctl(key, value) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result?,
                }
            }
            File::open(OWN_NAMESPACE)
        })?;
        let file = Arc::new(file?);
        let _end = Some(Arc::new(HurriedEnd { file: Arc::clone(&file) }));
        Ok(Namespace { file, _end })
    }

    /// Reports whether the namespace has a connection of Multipath TCP, also one that is being closed. Listening
    /// sockets count as well.
    pub(crate) fn has_connections(&self) -> bool {
        let Ok(_entered) = self.enter() else { return false };
        // A line for each protocol: its name, the size of a socket, the number of sockets in this namespace.
        let protocols = fs::read_to_string("/proc/thread-self/net/protocols").unwrap_or_default();
        let lines = protocols.lines().filter(|line| line.starts_with("MPTCP"));
        lines.filter_map(|line| line.split_whitespace().nth(2)).any(|sockets| sockets != "0")
    }

    /// Returns the namespace of the calling thread.
    pub fn current() -> io::Result<Namespace> {
        Ok(Namespace { file: Arc::new(File::open(OWN_NAMESPACE)?), _end: None })
    }

    /// Calls `f` in the namespace, on a separate thread, and waits for it. Panics are passed on.
    ///
    /// # Panics
    /// If the thread cannot be started or may not enter the namespace. [`Namespace::enter`] returns
    /// an error instead.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        on_thread(|| {
            self.enter_for_good().expect("enter the namespace");
            f()
        })
        .expect("start a thread")
    }

    /// Starts a thread that stays in the namespace.
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let namespace = self.clone();
        own_name(thread::Builder::new()).spawn(move || {
            namespace.enter_for_good().expect("enter the namespace");
            // The running thread keeps the namespace, so the handle need not.
            drop(namespace);
            f()
        })
    }

    /// Moves the calling thread into the namespace until the guard is dropped.
    pub fn enter(&self) -> io::Result<Entered> {
        let home = File::open(OWN_NAMESPACE)?;
        self.enter_for_good()?;
        Ok(Entered { home, not_send: PhantomData })
    }

    /// Moves the calling thread into the namespace; threads and children that it starts begin
    /// there.
    pub fn enter_for_good(&self) -> io::Result<()> {
        Ok(setns(&*self.file, CloneFlags::CLONE_NEWNET)?)
    }

    /// A command that runs in the namespace. It sees this process's mounts, so programs that read
    /// /sys/class/net see other interfaces than those of the namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(tools::find(program.as_ref()));
        child::start_in(&mut command, Arc::clone(&self.file));
        command
    }

    /// Runs a tool with `input` as its input. This thread enters the namespace, and not the child before it
    /// executes its program: such a child is a fork, which has to copy the page tables of this process.
    fn tool(&self, program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
        let _inside = self.enter()?;
        tools::run(Command::new(tools::find(program.as_ref())).args(arguments), input)
    }

    /// Runs a tool in the namespace and returns what it printed. The error contains its message.
    pub fn output(&self, program: &str, arguments: &[&str]) -> io::Result<String> {
        self.tool(program, arguments, "")
    }

    /// Runs `ip` with these arguments in the namespace and returns what it printed.
    pub fn ip(&self, arguments: &[&str]) -> io::Result<String> {
        self.output("ip", arguments)
    }

    /// Runs a batch of `ip` commands, one per line, in a single child process.
    pub fn ip_batch(&self, text: &str) -> io::Result<()> {
        self.tool("ip", &["-batch", "-"], text).map(drop)
    }

    /// As [`Namespace::ip_batch`], for commands that do not show their address family.
    pub(crate) fn ip6_batch(&self, text: &str) -> io::Result<()> {
        self.tool("ip", &["-6", "-batch", "-"], text).map(drop)
    }

    /// Loads an nftables ruleset.
    pub fn nft(&self, text: &str) -> io::Result<()> {
        self.tool("nft", &["-f", "-"], text).map(drop)
    }

    /// Reads a setting, such as `net.ipv4.ip_forward`.
    pub fn sysctl(&self, key: &str) -> io::Result<String> {
        let _entered = self.enter()?;
        let path = sysctl_path(key);
        let text = fs::read_to_string(&path).map_err(|error| at_path(&path, &error))?;
        Ok(text.trim_end().to_owned())
    }

    /// Writes a setting, such as `net.ipv4.ip_forward`. As with sysctl(8), a key may use slashes
    /// instead of dots, for interfaces with a dot in their name.
    pub fn set_sysctl(&self, key: &str, value: &str) -> io::Result<()> {
        let _entered = self.enter()?;
        write_sysctl(key, value)
    }

    /// Lets a connection whose SYNs are lost fall back to TCP with the third one, as it does by default.
    /// Returns false if this kernel never does.
    pub fn fall_back_by_syns(&self) -> io::Result<bool> {
        match self.set_sysctl("net/mptcp/syn_retrans_before_tcp_fallback", "2") {
            // Since Linux 6.12 the kernel does. The setting is newer than the fallback.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.run(|| has_sysctl("net.mptcp.blackhole_timeout")))
            }
            result => result.map(|()| true),
        }
    }

    /// The namespace's descriptor, for setns(2) and netlink.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A path to the namespace for children of this process, as in `ip link add … netns PATH`.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd())
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

/// Keeps the calling thread in a [`Namespace`]. Dropping it moves the thread back.
#[derive(Debug)]
#[must_use = "dropping this leaves the namespace at once"]
pub struct Entered {
    home: File,
    /// Not `Send`: only this thread can move back.
    not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let result = setns(&self.home, CloneFlags::CLONE_NEWNET);
        // A thread in the wrong namespace could change the machine's own network.
        if !thread::panicking() {
            result.expect("return to the thread's own namespace");
        }
    }
}

/// Closed connections with unsent data keep a namespace for a minute or two: a FIN into a pulled
/// cable is repeated for that long. When no handle is left, the lab lets the kernel drop them
/// sooner.
#[derive(Debug)]
struct HurriedEnd {
    file: Arc<File>,
}

impl Drop for HurriedEnd {
    fn drop(&mut self) {
        let namespace = Namespace { file: Arc::clone(&self.file), _end: None };
        // The kernel reads these whenever the timer of such a connection fires. Without them, the
        // namespace only lives longer, so errors do not matter.
        if let Ok(_entered) = namespace.enter() {
            let _ = write_sysctl("net/ipv4/tcp_orphan_retries", "1");
            let _ = write_sysctl("net/mptcp/close_timeout", "1");
        }
    }
}

/// Calls `f` on a separate thread, so that the caller's namespace is unchanged.
fn on_thread<T: Send>(f: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = own_name(thread::Builder::new()).spawn_scoped(scope, f)?;
        Ok(thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

/// Names a thread after its parent, so that a test's messages show the test's name.
fn own_name(builder: thread::Builder) -> thread::Builder {
    match thread::current().name() {
        Some(name) => builder.name(name.to_owned()),
        None => builder,
    }
}

fn sysctl_path(key: &str) -> String {
    if key.contains('/') {
        format!("/proc/sys/{key}")
    } else {
        format!("/proc/sys/{}", key.replace('.', "/"))
    }
}

/// Writes a setting of the calling thread's namespace.
fn write_sysctl(key: &str, value: &str) -> io::Result<()> {
    let path = sysctl_path(key);
    fs::write(&path, value).map_err(|error| at_path(&path, &error))
}

fn at_path(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}
