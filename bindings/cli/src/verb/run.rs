//! `subflows run`

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use subflows::ErrorKind;

use crate::agent;
use crate::agent_process;
use crate::child_process::{self, FAILED, NOT_FOUND};
use crate::destinations::{self, Named};
use crate::extra_paths::Via;
use crate::failure::Failure;
use crate::java_agent;
use crate::output::{Output, note};
use crate::reach::{self, Unreached};
use crate::signals;

const LIBRARY: &str = "libsubflows_preload.so";

const MORE_HELP: &str = "\
Every TCP socket that the program makes, to connect or to listen, becomes a Multipath TCP socket. If the peer or
the kernel does not have Multipath TCP, the connection is plain TCP. Options that only TCP sockets have, and that
the program can do without, succeed and have no effect (TCP_USER_TIMEOUT, TCP_QUICKACK and others); so does
TCP_DEFER_ACCEPT, which would delay further paths of clients. Those that protect data or the program fail, as they do on
every Multipath TCP socket. ioctl(2) with FIONREAD reports as many bytes as for a TCP socket: the kernel counts the end of
the peer's data as a byte. SO_ORIGINAL_DST, which transparent proxies need, is answered from the kernel's table of
connections, which requires CAP_NET_ADMIN. Without this right it fails with EOPNOTSUPP: let such a proxy listen by TCP
(--only).

--only and --not choose by the address to which the program connects. A name means the addresses that it has when this
command starts. To the other addresses the program connects by TCP: at connect(2), a TCP socket with the same options
takes the place of the socket, also in the epoll set to which the program has added it. Copies of the descriptor (dup)
keep the old one. Data sent by MSG_FASTOPEN without connect(2) is not covered. With --only, the program listens by TCP,
unless --server.

Without --via, --local, --backup and --enhanced, the paths are those that the kernel's path manager opens: see
`ip mptcp endpoint`. With them, the program's connections are controlled, which requires CAP_NET_ADMIN or a broker
(`subflows broker`). A process in the background then acts for the program: it opens each path as soon as a connection
that the program makes can have it, and leaves out a path that cannot be opened. It ends 5 s after the last process
that runs the library, so it also acts for daemons that the program starts. Programs that change their user keep their
paths; with --enhanced, they no longer set options of a subflow. Programs that change their root directory get no
paths for the connections that follow.

This command becomes the program, which has its process id, its terminal, and the signals as the caller set them.

The children of the program are run the same way. Out of reach are static programs (for Go's, this command sets
GODEBUG=multipathtcp=1), programs for musl or for another processor, programs that change their user when they are
started (set-user-ID), and system calls that bypass libc.

The JVM is reached as other programs are. Java's agent adds what only the JVM can do: it sets the property without which
Netty's io_uring transport can miss data. The jar is the one that --java-agent or the environment variable
SUBFLOWS_JAVA_AGENT names, or PREFIX/share/java/subflows.jar, where make install puts it. If COMMAND is the java of
Java 11 or newer, this command starts it with the agent. If COMMAND is another program and the jar was named, this
command sets JDK_JAVA_OPTIONS, by which the java commands among its children start with the agent; each of them prints a
note about that variable. Java 8 and JVMs without the agent use Multipath TCP as well. A security manager must allow the
jar what it does: use --java-agent no if its policy does not.

A program that may not use TCP does not get Multipath TCP: the rules of Landlock, of seccomp, and of the BPF programs of
a control group hold as without this command. The library makes system calls of its own (getsockopt, prctl, after
FIONREAD ppoll and recvfrom, and with --report or paths also socket, connect and others), so a filter that ends the
program for such a call ends it here too.

Each line of the report is an object. A program that changes its user writes lines only if that user may write FILE.
A connection has a line if the program closes it by close(2) or ends while it is open, not if fclose(3), dup2(2) or
close_range(2) closes it.
  process        the process id
  connection     the kernel's number of the socket (its cookie): a socket that several descriptors or processes
                 have gets a line from each
  local, remote  the ends, as getsockname(2) and getpeername(2) report them
  state          Mptcp, FellBack, or Tcp (it never was Multipath TCP)
  why            of FellBack: NotAnswered (the peer's answer to the SYN had no Multipath TCP: the peer or a middlebox
                 does without), NotRequested (the SYN had none: the socket has an option that excludes it, such as
                 TCP_MD5SIG, or earlier SYNs with it were lost), AfterHandshake (a middlebox changed the connection),
                 Unknown (before Linux 6.15 without CAP_NET_ADMIN, or the connection has ended);
                 of Tcp: Excluded (--only, --not), NotAvailable (this host has no Multipath TCP for the program),
                 NotRequestedByPeer (of a connection that the program accepted)
  paths          the first eight subflows: local, remote, bytes_sent, bytes_received; those that ended some time before
                 are missing
  subflows       how many subflows there are

Examples:
  subflows run -- curl -O https://www.example.org/file
  subflows run --report lines.json -- git clone https://git.example.org/project
  subflows run --via wlan0 --backup wwan0 -- ssh server.example.org
  subflows run --not 192.0.2.0/24 --not legacy.example.org:443 -- wget -i list
  subflows run --java-agent subflows.jar --via wlan0 -- mvn package

Exit status: that of COMMAND; 125 if it is out of reach, 126 if it cannot be executed, 127 if it does not exist,
2 for a usage error.";

/// Run an unchanged program whose TCP connections use Multipath TCP
///
/// Loads a library before the program. Requires no privilege, unless further paths are asked for.
#[derive(Args, Debug)]
#[command(after_help = MORE_HELP)]
pub(crate) struct Run {
    /// Append a line of JSON for each connection to FILE: its ends, its paths, and the bytes on each
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Open one more path of each connection by this interface, or from this local address; may be repeated
    #[arg(long, value_name = "IF|ADDR", value_parser = Via::parse)]
    via: Vec<Via>,
    /// Open one more path of each connection from this local address; may be repeated
    #[arg(long, value_name = "ADDR", value_parser = Via::parse_address)]
    local: Vec<Via>,
    /// As --via, as a backup: it is used only while no other path works
    #[arg(long, value_name = "IF|ADDR", value_parser = Via::parse)]
    backup: Vec<Via>,
    /// Connect by Multipath TCP to this host or network only; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Named::parse)]
    only: Vec<Named>,
    /// Connect by TCP to this host or network; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Named::parse)]
    not: Vec<Named>,
    /// With --only: listen by Multipath TCP as well, as without --only
    #[arg(long, requires = "only")]
    server: bool,
    /// Answer the options of the enhanced socket API of 2016 (getsockopt 66 to 71, setsockopt 72, and 42 to 45)
    #[arg(long)]
    enhanced: bool,
    /// Start JVMs with Java's agent from this jar; `no` for none
    #[arg(long, value_name = "JAR|no")]
    java_agent: Option<OsString>,
    /// This process is the agent
    #[arg(long, hide = true, value_name = "WORD", requires = "of")]
    agent: Option<String>,
    /// The process for which it acts
    #[arg(long, hide = true, value_name = "PROCESS")]
    of: Option<i32>,
    /// What to run
    #[arg(last = true, required_unless_present = "agent", value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn run(&self, _: &mut Output) -> Result<u8, Failure> {
        if let (Some(word), Some(process)) = (&self.agent, self.of) {
            return agent_process::run(word, process, self.wanted(), &self.options()).map(|()| 0);
        }
        let (name, arguments) = self.command.split_first().expect("clap requires one");
        let Some(program) = reach::find(name) else {
            note(format_args!("cannot run `{}`: no such program in PATH", name.to_string_lossy()));
            return Ok(NOT_FOUND);
        };
        if let Err(unreached) = reach::check(&program) {
            let Unreached { why, remedy } = unreached;
            note(format_args!("cannot reach `{}`: {why}\n{remedy}", name.to_string_lossy()));
            return Ok(FAILED);
        }
        let mut command = Command::new(&program);
        command.arg0(name);
        java_agent::add(&mut command, &program, arguments, self.java_agent.as_deref())?;
        command.args(arguments);
        command.env("LD_PRELOAD", appended("LD_PRELOAD", library()?.as_os_str(), ":"));
        command.env("GODEBUG", appended("GODEBUG", OsStr::new("multipathtcp=1"), ","));
        command.env_remove(subflows_run::REPORT);
        if let Some(file) = &self.report {
            command.env(subflows_run::REPORT, made(file)?);
        }
        self.choose(&mut command)?;
        command.env_remove(subflows_run::VARIABLE).env_remove(subflows_run::ENHANCED);
        if !self.wanted().is_empty() || self.enhanced {
            agent::require_control()?;
            command.env(subflows_run::VARIABLE, agent_process::start(&self.options())?);
            if self.enhanced {
                command.env(subflows_run::ENHANCED, "1");
            }
        }
        signals::restore(&mut command);
        let error = command.exec();
        note(format_args!("cannot run `{}`: {error}", name.to_string_lossy()));
        Ok(child_process::not_started(&error))
    }
}

impl Run {
    /// The paths to open.
    fn wanted(&self) -> Vec<Via> {
        let backups = self.backup.iter().cloned().map(Via::into_backup);
        self.via.iter().chain(&self.local).cloned().chain(backups).collect()
    }

    /// The same, as words of a command line.
    fn options(&self) -> Vec<&str> {
        let all = [("--via", &self.via), ("--local", &self.local), ("--backup", &self.backup)];
        let words =
            all.iter().flat_map(|(option, paths)| paths.iter().map(|via| [*option, via.name()]));
        words.flatten().collect()
    }

    /// Names the destinations to the library.
    fn choose(&self, command: &mut Command) -> Result<(), Failure> {
        for (variable, named) in [(subflows_run::ONLY, &self.only), (subflows_run::NOT, &self.not)]
        {
            command.env_remove(variable);
            if !named.is_empty() {
                let found = destinations::resolve(named)?;
                command.env(variable, subflows_run::List(&found).to_string());
            }
        }
        command.env_remove(subflows_run::SERVER);
        if self.server {
            command.env(subflows_run::SERVER, "1");
        }
        Ok(())
    }
}

/// The value of a variable, with one more word in front.
fn appended(variable: &str, word: &OsStr, separator: &str) -> OsString {
    let mut value = word.to_owned();
    if let Some(before) = env::var_os(variable).filter(|before| !before.is_empty()) {
        value.push(separator);
        value.push(before);
    }
    value
}

/// The file of the report, which every process of the program finds, whatever its working directory is.
fn made(file: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::system(format_args!("cannot write {}", file.display()), &error);
    // A pipe would make the program wait in close(2).
    if fs::metadata(file).is_ok_and(|place| !place.is_file()) {
        let text = format!("cannot write {}: it is not a regular file", file.display());
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy("Name a file, and read it when the program has ended."));
    }
    OpenOptions::new().append(true).create(true).open(file).map_err(failed)?;
    fs::canonicalize(file).map_err(failed)
}

/// Finds the library: the file that `SUBFLOWS_PRELOAD` names, or the one in the folder of the command (as cargo builds
/// it), or the one that `make install` installs.
fn library() -> Result<PathBuf, Failure> {
    let command = env::current_exe().and_then(fs::canonicalize);
    let command = command.map_err(|error| Failure::system("cannot find the command", &error))?;
    let folder = command.parent().unwrap_or(Path::new("/"));
    let given = env::var_os("SUBFLOWS_PRELOAD").map(PathBuf::from);
    let near = [folder.join(LIBRARY), folder.join("../lib/subflows").join(LIBRARY)];
    let places: Vec<PathBuf> = given.map_or_else(|| near.to_vec(), |path| vec![path]);
    let found = places.iter().find(|place| place.is_file());
    let Some(found) = found.and_then(|place| fs::canonicalize(place).ok()) else {
        let text = format!("there is no {LIBRARY} at {}", places[places.len() - 1].display());
        return Err(Failure::new(ErrorKind::Unsupported, text).remedy(
            "Install it together with the command (make install), or name it: SUBFLOWS_PRELOAD=PATH.",
        ));
    };
    // The dynamic linker separates the libraries by these.
    if found.to_string_lossy().contains([' ', ':']) {
        let text =
            format!("the path of the library contains a space or a colon: {}", found.display());
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy("Put it elsewhere, and name it: SUBFLOWS_PRELOAD=PATH."));
    }
    Ok(found)
}
