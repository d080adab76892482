//! `subflows connect HOST PORT`

use std::env;
use std::io::{self, IoSlice, IsTerminal};
use std::mem::MaybeUninit;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use subflows::ErrorKind;
use subflows::bare::{self, Scratch};

use crate::extra_paths::{Paths, Via};
use crate::failure::Failure;
use crate::holders::Holders;
use crate::output::{Output, note};
use crate::relay;

const MORE_HELP: &str = "\
Without --via and --backup, the kernel's path manager opens the paths: see `ip mptcp endpoint`. With them, this
command controls the connection, which requires CAP_NET_ADMIN or a broker (`subflows broker`), and opens each path as
soon as the connection can have it. A path that cannot be opened is reported on standard error, and the connection
goes on without it.

For ssh, in ~/.ssh/config:
  Host server.example.org
      ProxyCommand subflows connect --fdpass --via wwan0 %h %p
      ProxyUseFdpass yes

Examples:
  subflows connect --via wlan0 --backup wwan0 server.example.org 9000 <file
  subflows connect --report server.example.org 80

Exit status: 0 if both directions ended, 1 if the connection was reset or could not be made, 2 for a usage error,
3 if control is not permitted.";

/// Connect, and join standard input and output to the connection, as netcat does
///
/// The end of standard input ends this end's direction, and the end of the peer's direction ends standard output. The
/// command ends when both have ended.
#[derive(Args, Debug)]
#[command(after_help = MORE_HELP)]
pub(crate) struct Connect {
    /// Open one more path by this interface, or from this local address; may be repeated
    #[arg(long, value_name = "IF|ADDR", value_parser = Via::parse)]
    via: Vec<Via>,
    /// As --via, as a backup: it is used only while no other path works
    #[arg(long, value_name = "IF|ADDR", value_parser = Via::parse)]
    backup: Vec<Via>,
    /// Pass the connected socket to the process at standard output, and exit: for ssh with ProxyUseFdpass
    #[arg(long, conflicts_with = "report")]
    fdpass: bool,
    /// Print the paths and their bytes on standard error at the end
    #[arg(long)]
    report: bool,
    /// The connection is standard input: open the paths, and exit
    #[arg(long, hide = true)]
    open_only: bool,
    /// The host: a name or an address
    host: String,
    /// The port
    port: u16,
}

impl Connect {
    pub(super) fn run(&self, _: &mut Output) -> Result<(), Failure> {
        if self.open_only {
            let sock = io::stdin().as_fd().try_clone_to_owned().map(TcpStream::from)?;
            let mut holders = Holders::of(&sock, None);
            let mut paths = Paths::new(Arc::new(sock), self.wanted());
            return Ok(relay::open_all(&mut paths, &mut holders)?);
        }
        let sock = Arc::new(self.connect()?);
        if self.fdpass {
            return self.pass(&sock);
        }
        let mut paths = Paths::new(sock.clone(), self.wanted());
        let result = relay::run(&sock, &mut paths);
        if self.report {
            report(&sock);
        }
        result.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::from(error),
            _ => Failure::system("the connection failed", &error),
        })
    }

    fn wanted(&self) -> impl Iterator<Item = Via> {
        self.via.iter().cloned().chain(self.backup.iter().cloned().map(Via::into_backup))
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let name = (self.host.as_str(), self.port);
        let addresses: Vec<_> = name
            .to_socket_addrs()
            .map_err(|error| {
                Failure::new(
                    ErrorKind::InvalidArgument,
                    format!("cannot find {}: {error}", self.host),
                )
                .remedy("Check the name: getent ahosts NAME.")
            })?
            .collect();
        let is_steered = self.wanted().next().is_some();
        let options = subflows::Connect::new().control(is_steered);
        Ok(subflows::connect(&*addresses, &options)?)
    }

    /// Passes the socket, and leaves the paths to another process, because the receiver waits for this one to end.
    fn pass(&self, sock: &Arc<TcpStream>) -> Result<(), Failure> {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut room);
        let fds = [sock.as_fd()];
        message.push(SendAncillaryMessage::ScmRights(&fds));
        let stdout = io::stdout();
        sendmsg(&stdout, &[IoSlice::new(&[0])], &mut message, SendFlags::NOSIGNAL).map_err(
            |error| {
                let text = format!(
                    "cannot pass the connection by standard output: {}",
                    io::Error::from(error)
                );
                Failure::new(ErrorKind::InvalidArgument, text)
                    .remedy("--fdpass is for ssh: ProxyCommand together with `ProxyUseFdpass yes`.")
            },
        )?;
        if self.wanted().next().is_none() {
            return Ok(());
        }
        let failed =
            |error| Failure::system("cannot start the process that opens the paths", &error);
        let mut command = Command::new(env::current_exe().map_err(failed)?);
        command.args(["connect", "--open-only"]);
        for (option, wanted) in [("--via", &self.via), ("--backup", &self.backup)] {
            command.args(wanted.iter().flat_map(|via| [option, via.name()]));
        }
        command.args([&self.host, &self.port.to_string()]);
        let sock = OwnedFd::from(sock.try_clone().map_err(failed)?);
        // In a process group of its own: a Ctrl-C in the terminal is meant for the receiver.
        // A reader of this process's standard error waits until every writer has closed it. So the new process has
        // it only if it is a terminal.
        let is_shown = io::stderr().is_terminal();
        command.stderr(if is_shown { Stdio::inherit() } else { Stdio::null() });
        command.stdin(sock).stdout(Stdio::null()).process_group(0).spawn().map_err(failed)?;
        Ok(())
    }
}

/// Prints each path, also if both directions have ended.
fn report(sock: &TcpStream) {
    bare::each_subflow(sock.as_fd(), &mut Scratch::default(), &mut |path| {
        let (sent, received) = (path.bytes_sent, path.bytes_received);
        let (local, remote) = (path.local, path.remote);
        note(format_args!("{local} -> {remote}: {sent} bytes sent, {received} received"));
    });
}
