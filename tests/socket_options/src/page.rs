//! The page OPTIONS.md.

use std::fmt::{Display, Write};
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::AddressFamily::{self, Inet, Inet6};

use crate::kernels;
use crate::measure::{Answers, Get, Set, measure};
use crate::socket::Protocol;
use crate::softened::Softened;
use crate::table::{IP_OPTIONS, IPV6_OPTIONS, SOCKET_OPTIONS, SocketOption, TCP_OPTIONS};

const HEAD: &str = "\
# Socket options

Which options Linux accepts on Multipath TCP sockets, compared with TCP sockets, measured on Linux ";

const INTRODUCTION: &str = " as root.
This page is generated: `cargo run --package subflows-socket-options` measures the running kernel and writes it
again. Other kernels accept other options: run the program there. `make test` compares the page with
the kernel if that has the same version.

Every option is measured on three sockets: one that is unconnected, one that is connected, and one
that was accepted. If they differ, the cell names the states. *ok*: the call succeeds. *set*: the call
succeeds, and the option then has another value. *ignored*: the call succeeds, and the value is the same as before.
An error number: the call fails with it. Options that require a valid descriptor or structure are set to an
invalid one, so that EBADF or EINVAL means that the kernel knows the option.

The sections by level show what the Multipath TCP socket answers. Which of its subflows use the value is another
question: `options` of this library reads the options of each subflow, and `set_option` sets them.

The column *under run* has what a program under `subflows run` sees, getting and setting, if the kernel answers
differently: the options that a program does as well without succeed, are remembered, and have no effect. Those that
protect data or the program fail as they do without it. A cell without text: as without `subflows run`.

Under `subflows run`, `ioctl` with `FIONREAD` (`SIOCINQ`) also reports what a TCP socket would. Without it, the kernel
counts the end of the peer's data as a byte. `SO_ORIGINAL_DST` is answered to a program with `CAP_NET_ADMIN`, from the
kernel's table of connections; to others it stays EOPNOTSUPP.

";

/// The sections: a level, and sockets of a family.
const SECTIONS: [(&str, &[SocketOption], AddressFamily); 4] = [
    ("SOL_SOCKET", SOCKET_OPTIONS, Inet),
    ("IPPROTO_TCP", TCP_OPTIONS, Inet),
    ("IPPROTO_IP, on an IPv4 socket", IP_OPTIONS, Inet),
    ("IPPROTO_IPV6, on an IPv6 socket", IPV6_OPTIONS, Inet6),
];

/// The release of the running kernel, without what a distribution appends.
pub fn release() -> io::Result<String> {
    let name = nix::sys::utsname::uname()?;
    let release = name.release().to_string_lossy().into_owned();
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    Ok(release[..end].to_owned())
}

/// An option with what TCP and Multipath TCP answer.
struct Row {
    option: &'static SocketOption,
    tcp: Answers,
    mptcp: Answers,
}

fn rows(options: &'static [SocketOption], family: AddressFamily) -> io::Result<Vec<Row>> {
    let row = |option| {
        let tcp = measure(option, family, Protocol::Tcp)?;
        Ok(Row { option, tcp, mptcp: measure(option, family, Protocol::Mptcp)? })
    };
    options.iter().map(row).collect()
}

const fn fails(set: Set) -> bool {
    matches!(set, Set::Failed(_))
}

/// Whether the kernel has no such option for the socket, whatever the value.
const fn refuses(set: Set) -> bool {
    matches!(set, Set::Failed(Errno::ENOPROTOOPT | Errno::EOPNOTSUPP | Errno::EPROTO))
}

/// What a program sees of an option, in comparison with TCP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    SameAsTcp,
    BeforeConnectingOnly,
    Ignored,
    ReadOnly,
    NotAtAll,
    Other,
    NeitherSets,
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::SameAsTcp, "Can be set as on TCP"),
    (Outcome::BeforeConnectingOnly, "Can be set before connecting only (on TCP: always)"),
    (Outcome::Ignored, "Setting succeeds and has no effect (on TCP: it has one)"),
    (Outcome::ReadOnly, "Can be got, but not set (on TCP: both)"),
    (Outcome::NotAtAll, "Can neither be got nor set (on TCP: at least one)"),
    (Outcome::Other, "Differ otherwise"),
    (Outcome::NeitherSets, "Can be got as on TCP, and set on neither"),
];

impl Row {
    /// Whether getting is the same; both may fail for different reasons.
    fn gets_as_tcp(&self) -> bool {
        self.tcp
            .get
            .iter()
            .zip(self.mptcp.get)
            .all(|(tcp, mptcp)| (*tcp == Get::Ok) == (mptcp == Get::Ok))
    }

    fn outcome(&self) -> Option<Outcome> {
        let (tcp, mptcp) = (&self.tcp, &self.mptcp);
        let sets_as_tcp = tcp.set.iter().zip(mptcp.set).all(|(tcp, mptcp)| {
            *tcp == mptcp || fails(*tcp) && fails(mptcp) && refuses(*tcp) == refuses(mptcp)
        });
        let is_gone = mptcp.get.iter().all(|get| *get != Get::Ok);
        let is_on_tcp = tcp.get.contains(&Get::Ok) || !tcp.set.into_iter().all(refuses);
        let [before, after @ ..] = mptcp.set;
        Some(if mptcp.set.into_iter().all(fails) && is_gone {
            // On neither, there is nothing to report.
            if is_on_tcp { Outcome::NotAtAll } else { return None }
        } else if self.gets_as_tcp() && sets_as_tcp {
            if mptcp.set.into_iter().all(fails) { Outcome::NeitherSets } else { Outcome::SameAsTcp }
        } else if !fails(before) && after.into_iter().all(fails) && !tcp.set.into_iter().any(fails)
        {
            Outcome::BeforeConnectingOnly
        } else if mptcp.set == [Set::Same; 3] && tcp.set == [Set::Changed; 3] {
            Outcome::Ignored
        } else if mptcp.set.into_iter().all(fails) && self.gets_as_tcp() {
            Outcome::ReadOnly
        } else {
            Outcome::Other
        })
    }
}

/// What all three states have in common, or each of them.
fn cell<T: Display + PartialEq>(states: &[T; 3]) -> String {
    let [unconnected, connected, accepted] = states;
    match (unconnected == connected, connected == accepted) {
        (true, true) => unconnected.to_string(),
        (false, true) => format!("{unconnected}; connected or accepted: {connected}"),
        (true, false) => format!("{unconnected}; accepted: {accepted}"),
        (false, false) => format!("{unconnected}; connected: {connected}; accepted: {accepted}"),
    }
}

fn write_section(
    page: &mut String,
    title: &'static str,
    rows: &[Row],
    softened: &Softened,
) -> std::fmt::Result {
    writeln!(page, "## {title}\n")?;
    for (outcome, words) in OUTCOMES {
        let names: Vec<_> = rows
            .iter()
            .filter(|row| row.outcome() == Some(outcome))
            .map(|row| format!("`{}`", row.option.name))
            .collect();
        if !names.is_empty() {
            writeln!(page, "- {words}: {}.", names.join(", "))?;
        }
    }
    page.push_str("\n| option | get | set | get on TCP | set on TCP | under run |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for row in rows {
        let [tcp_get, tcp_set] = [cell(&row.tcp.get), cell(&row.tcp.set)];
        let kernel = answer(title, row);
        let run = softened
            .differing(&kernel)
            .map_or_else(|| "|".to_owned(), |cell| format!("| {cell} |"));
        let Answer { option, get, set, .. } = kernel;
        writeln!(page, "| `{option}` | {get} | {set} | {tcp_get} | {tcp_set} {run}")?;
    }
    page.push('\n');
    Ok(())
}

/// The options that IPv6 sockets, as runtimes such as Java's make them by default, answer in another way than IPv4
/// sockets.
fn write_dual(page: &mut String, v4: &[Row], v6: &[Row]) -> std::fmt::Result {
    page.push_str("## IPPROTO_IP, on an IPv6 socket\n\nAs on an IPv4 socket, except:\n\n");
    page.push_str("| option | get | set | get on TCP | set on TCP |\n|---|---|---|---|---|\n");
    for (v4, v6) in v4.iter().zip(v6) {
        let answers = |row: &Row| {
            [cell(&row.mptcp.get), cell(&row.mptcp.set), cell(&row.tcp.get), cell(&row.tcp.set)]
        };
        if answers(v4) != answers(v6) {
            writeln!(page, "| `{}` | {} |", v6.option.name, answers(v6).join(" | "))?;
        }
    }
    page.push('\n');
    Ok(())
}

/// Options whose value does not go where one expects it.
fn write_ways(page: &mut String, all: &[Row]) -> std::fmt::Result {
    page.push_str("## Values that are not kept or inherited as on TCP\n\n");
    let names = |is: fn(&Row) -> bool| {
        let names: Vec<_> =
            all.iter().filter(|row| is(row)).map(|row| format!("`{}`", row.option.name)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let kept = |row: &Row| row.mptcp.is_kept == Some(false) && row.tcp.is_kept == Some(true);
    let inherited =
        |row: &Row| row.mptcp.is_inherited == Some(false) && row.tcp.is_inherited == Some(true);
    writeln!(page, "- Set before connecting, and another value afterwards: {}.", names(kept))?;
    writeln!(
        page,
        "- Set on a listener, and another value on accepted sockets: {}.",
        names(inherited)
    )?;
    Ok(())
}

/// What Multipath TCP sockets answer for one option.
pub(crate) struct Answer {
    pub(crate) section: &'static str,
    pub(crate) option: &'static str,
    /// What getting does, as the page has it.
    pub(crate) get: String,
    /// What setting does.
    pub(crate) set: String,
}

fn answer(section: &'static str, row: &Row) -> Answer {
    let Row { option, mptcp, .. } = row;
    Answer { section, option: option.name, get: cell(&mptcp.get), set: cell(&mptcp.set) }
}

/// What Multipath TCP sockets of this kernel answer.
pub(crate) fn answers() -> io::Result<Vec<Answer>> {
    let mut all = Vec::new();
    for (title, options, family) in SECTIONS {
        all.extend(rows(options, family)?.iter().map(|row| answer(title, row)));
    }
    Ok(all)
}

/// Measures everything, in the network namespace of this thread, whose loopback interface is up.
///
/// `program` is the one of this package, which measures once more for programs under `subflows run`.
pub fn page(program: &Path) -> io::Result<String> {
    let softened = Softened::measure(program)?;
    let mut page = format!("{HEAD}{}{INTRODUCTION}", release()?);
    let (mut all, mut answers) = (Vec::new(), Vec::new());
    for (title, options, family) in SECTIONS {
        let rows = rows(options, family)?;
        answers.extend(rows.iter().map(|row| answer(title, row)));
        write_section(&mut page, title, &rows, &softened).expect("a String takes everything");
        if options == IP_OPTIONS {
            let dual = self::rows(options, Inet6)?;
            write_dual(&mut page, &rows, &dual).expect("a String takes everything");
        }
        all.extend(rows);
    }
    write_ways(&mut page, &all).expect("a String takes everything");
    page.push_str(&kernels::section(&kernels::folder(), &answers)?);
    Ok(page)
}
