//! `watch` in a real terminal, compared with ss.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use nix::fcntl::OFlag;
use nix::pty::{posix_openpt, ptsname_r, unlockpt};
use subflows_lab::{Net, oracle, skip, skip_unless_ready, wait_until};
use tempfile::TempDir;

/// A busy machine may draw late.
const DRAWN: Duration = Duration::from_secs(30);

/// A terminal of tmux(1), whose programs run in the client's namespace.
struct Terminal<'a> {
    net: &'a Net,
    folder: TempDir,
}

impl Terminal<'_> {
    fn new(net: &Net) -> Terminal<'_> {
        let terminal = Terminal { net, folder: tempfile::tempdir().unwrap() };
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "env PS1=ready: sh"]);
        terminal.shows(&["ready:"]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = self.net.client.command("tmux");
        command.env("TMUX_TMPDIR", self.folder.path()).env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.args(["-f", "/dev/null", "-u"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn types(&self, line: &str) {
        self.tmux(&["send-keys", line, "Enter"]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen contains all of these texts: it may be read while it is being drawn.
    #[track_caller]
    fn shows(&self, texts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(start.elapsed() < DRAWN, "{texts:?} are not on the screen:\n{screen}");
        }
    }

    /// Whether a program has the terminal for itself.
    fn is_taken(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn has_tmux() -> bool {
    let tmux = Command::new("tmux").arg("-V").stdout(Stdio::null()).status();
    tmux.is_ok_and(|status| status.success())
}

#[test]
fn it_shows_what_ss_shows_and_gives_the_terminal_back() {
    skip_unless_ready!();
    if !has_tmux() {
        return skip("needs tmux(1), for a terminal");
    }
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    let second = subflows::Open::new().interface("eth1").backup(true);
    net.client.run(|| subflows::open(&pair.client, &second)).unwrap();
    let mut sent = vec![7; 1_000_000];
    std::thread::scope(|scope| {
        scope.spawn(|| (&pair.client).write_all(&vec![7; 1_000_000]).unwrap());
        (&pair.server).read_exact(&mut sent).unwrap();
    });

    let terminal = Terminal::new(&net);
    terminal.types(&format!("'{SUBFLOWS}' watch --interval 100ms; echo ended with $?"));
    // The rates are known from the second reading on.
    let narrow = terminal.shows(&["2 subflows  sends", "in use", "backup", "q quit"]);
    assert!(narrow.contains("1 connection, 2 subflows"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    let seen = oracle::ss_subflows(&net.client);
    assert_eq!(seen.len(), 2, "{seen:?}");
    let line_of = |screen: &str, start: &str| -> Vec<String> {
        let line = screen.lines().find(|line| line.trim_start().starts_with(start));
        let words = line.unwrap_or_else(|| panic!("{start}:\n{screen}")).split_whitespace();
        words.map(str::to_owned).collect()
    };
    for subflow in &seen {
        let shown = line_of(&narrow, &format!("{} ", subflow.local.ip()));
        assert_eq!(shown[1], subflow.remote.to_string());
        let is_backup = shown.last().unwrap() == "backup";
        assert_eq!(is_backup, subflow.flags.contains('b'), "{narrow}");
    }
    assert_eq!(line_of(&narrow, &token)[1], pair.client.peer_addr().unwrap().to_string());

    terminal.tmux(&["resize-window", "-x", "200", "-y", "50"]);
    let wide = terminal.shows(&["LOCAL", "SENT", "1.0 MB", "in use", "backup", "q quit"]);
    for subflow in &seen {
        let local = format!("{}%", subflow.local.ip());
        let is_shown = wide.contains(&local) || wide.contains(&subflow.local.to_string());
        assert!(is_shown, "{wide}");
    }
    terminal.tmux(&["send-keys", "s"]);
    terminal.shows(&["by sent"]);
    terminal.tmux(&["send-keys", "r"]);
    terminal.shows(&["by sent, reversed"]);
    terminal.tmux(&["send-keys", "Down"]);
    assert!(terminal.is_taken());
    terminal.tmux(&["send-keys", "q"]);
    terminal.shows(&["ended with 0"]);
    assert!(!terminal.is_taken());

    // A signal gives it back as well.
    terminal.types("clear");
    terminal.types(&format!("'{SUBFLOWS}' watch; echo ended again with $?"));
    terminal.shows(&["1 connection", "q quit"]);
    let pids = terminal.tmux(&["list-panes", "-F", "#{pane_pid}"]);
    let children = format!("/proc/{0}/task/{0}/children", pids.trim());
    let watching = std::fs::read_to_string(children).unwrap();
    assert!(!watching.is_empty());
    Command::new("kill").args(watching.split_whitespace()).status().unwrap();
    terminal.shows(&["ended again with 0"]);
    assert!(!terminal.is_taken());
}

/// The first byte shows that it draws. No signal reports the end of the terminal, which is not that of its session.
#[test]
fn it_ends_with_its_terminal() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for _ in 0..5 {
        // Not by openpty(3), whose master every program would inherit that a test starts.
        let mut master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        unlockpt(&master).unwrap();
        let slave = ptsname_r(&master).unwrap();
        let slave = || {
            let flags = OFlag::O_NOCTTY.bits();
            File::options().read(true).write(true).custom_flags(flags).open(&slave).unwrap()
        };
        let mut watch = net.client.command(SUBFLOWS);
        watch.args(["watch", "--interval", "100ms"]).stdin(slave()).stdout(slave()).stderr(slave());
        let mut watch = watch.spawn().unwrap();
        master.read_exact(&mut [0]).unwrap();
        drop(master);
        wait_until(DRAWN, "the end of watch", || watch.try_wait().unwrap().is_some());
        assert!(watch.wait().unwrap().success());
    }
}

#[test]
fn without_a_terminal_it_names_what_programs_use() {
    for arguments in [&["watch"][..], &["watch", "--json"]] {
        let error = Run::of(Command::new(SUBFLOWS).args(arguments)).fails(2);
        assert!(error.contains("connections --json"), "{error}");
    }
}
