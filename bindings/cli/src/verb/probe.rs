//! `subflows probe HOST[:PORT]…`

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use subflows::{ErrorKind, ProbeReport, Verdict, address_text};

use crate::borrow_socket::harmless;
use crate::failure::{Exit, Failure};
use crate::json;
use crate::output::{Output, note};
use crate::probe::crowd::{self, Host, Hosts, Outcome};
use crate::probe::target::Target;
use crate::probe::trace::{self, Trace};
use crate::table::{Align, Cell, Table};
use crate::units;

/// The width of the longest verdict.
const VERDICT: usize = 11;

const BAR: &str = "  {bar:30.green/238}  {pos} of {len} hosts, {eta} left";
const SPINNER: &str = "  {spinner} {pos} hosts";

const MORE_HELP: &str = "\
HOST is a name or an address; PORT is 443 if it is missing: example.org, 192.0.2.1:80, [2001:db8::1]:443.
The first address of a name is probed. A line of FILE is a HOST[:PORT]; empty lines and those that begin
with # are skipped.

Verdicts:
VERDICTS
Text comes as soon as a host is done, a line each. With --json, each line is an object: `host` as it was
written, and the fields of the report, or `error`.

Nothing of an application protocol is sent without --data. No probe makes the kernel suspend Multipath TCP
in this network namespace (net.mptcp.blackhole_timeout), as a connection through a black hole does; do not
stop a running probe (Ctrl-Z) for that reason.

Examples:
  subflows probe example.org
  subflows probe --data 'GET / HTTP/1.0' example.org:80
  subflows probe --json --from hosts.txt --parallel 200 > result.jsonl
  subflows probe --trace example.org                 where the options vanish; as root

Exit status: 0 if every host has Multipath TCP, 1 if one has not or could not be probed, 2 for a usage error,
3 if --trace is not permitted.";

/// The help after the options, with the verdicts.
fn more_help() -> String {
    let mut verdicts = String::new();
    for variant in Verdict::TABLE.variants {
        let words = variant.doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "");
        let mut line = format!("  {:<VERDICT$} ", variant.name);
        for word in words.split(' ') {
            if line.len() + 1 + word.len() > 98 {
                verdicts.push_str(line.trim_end());
                verdicts.push('\n');
                line = " ".repeat(VERDICT + 3);
            }
            line.push_str(word);
            line.push(' ');
        }
        verdicts.push_str(line.trim_end());
        verdicts.push('\n');
    }
    MORE_HELP.replacen("VERDICTS\n", &format!("{verdicts}\n"), 1)
}

/// Find out whether servers have Multipath TCP, and what happens to it on the way
///
/// Connects and closes again. Requires no privilege.
#[derive(Args, Debug)]
#[command(after_help = more_help())]
pub(crate) struct Probe {
    /// The servers
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "from")]
    hosts: Vec<Target>,
    /// Read more servers from this file, or from standard input if it is -
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How many servers are probed at the same time, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    parallel: u16,
    /// The timeout of each probe, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s")]
    #[arg(value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Send this text once connected, followed by two line breaks: it decides what is else Unconfirmed
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Find the hop at which the option of the SYN vanishes. Requires root, or CAP_NET_RAW
    #[arg(long, conflicts_with_all = ["data", "parallel", "timeout"])]
    trace: bool,
}

impl Probe {
    pub(super) fn run(&self, out: &mut Output) -> Result<u8, Failure> {
        let (hosts, count) = self.hosts()?;
        if self.trace {
            return trace_all(out, hosts);
        }
        let mut options = subflows::Probe::new().timeout(self.timeout);
        options.data = self.data.as_ref().map(|text| format!("{text}\r\n\r\n"));
        let outcomes = crowd::probe(hosts, options, self.parallel.into())?;
        let is_single = self.from.is_none() && self.hosts.len() == 1;
        let bar = if is_single { None } else { progress(count) };
        let mut summary = Summary::default();
        for outcome in outcomes {
            let failed_here =
                outcome.1.as_ref().err().filter(|failure| failure.kind() == ErrorKind::Unsupported);
            // No other host would fare better.
            if let Some(failure) = failed_here {
                return Err(failure.clone());
            }
            summary.count(&outcome.1);
            let mut print = || show(out, &outcome, is_single);
            match &bar {
                Some(bar) => {
                    bar.inc(1);
                    bar.suspend(&mut print)?;
                }
                None => print()?,
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if !is_single {
            note(summary.text());
        }
        Ok(summary.exit().into())
    }

    /// The servers, and how many they are if that is known.
    fn hosts(&self) -> Result<(Hosts, Option<u64>), Failure> {
        let own = self.hosts.clone().into_iter().map(|host| (host.text.clone(), Ok(host)));
        let Some(path) = &self.from else {
            return Ok((Box::new(own), Some(self.hosts.len() as u64)));
        };
        if path.as_os_str() == "-" {
            return Ok((Box::new(own.chain(targets(BufReader::new(io::stdin())))), None));
        }
        let failed = |error: io::Error| {
            Failure::system(format_args!("cannot read {}", path.display()), &error)
        };
        let file = File::open(path).map_err(failed)?;
        let is_file = file.metadata().map_err(failed)?.is_file();
        let listed = targets(BufReader::new(file));
        if !is_file {
            return Ok((Box::new(own.chain(listed)), None));
        }
        let listed: Vec<_> = listed.collect();
        let count = (self.hosts.len() + listed.len()) as u64;
        Ok((Box::new(own.chain(listed)), Some(count)))
    }
}

/// The servers of a text, a line each.
fn targets(text: impl BufRead + Send + 'static) -> impl Iterator<Item = Host> + Send {
    let target = |line: io::Result<String>| match line {
        Ok(line) => match line.trim() {
            "" => None,
            text if text.starts_with('#') => None,
            text => Some((text.to_owned(), text.parse().map_err(not_a_host))),
        },
        Err(error) => {
            let failure = Failure::system("cannot read the list of hosts", &error);
            Some((String::new(), Err(failure)))
        }
    };
    // A file that cannot be read any further fails again and again.
    let mut has_failed = false;
    text.lines()
        .take_while(move |line| !std::mem::replace(&mut has_failed, line.is_err()))
        .filter_map(target)
}

fn not_a_host(what: String) -> Failure {
    Failure::new(ErrorKind::InvalidArgument, what).remedy("")
}

fn progress(count: Option<u64>) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let template = if count.is_some() { BAR } else { SPINNER };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(count, ProgressDrawTarget::stderr());
    Some(bar.with_style(style))
}

fn show(out: &mut Output, (host, found): &Outcome, is_single: bool) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.object(&json_of(host, found))?);
    }
    match found {
        // The command fails as a whole.
        Err(failure) if is_single => Err(failure.clone()),
        Err(failure) => {
            note(harmless(&failure.to_string().replace('\n', " ")));
            Ok(())
        }
        Ok(report) => Ok(out.line(line(host, report, is_single))?),
    }
}

fn line(host: &str, report: &ProbeReport, is_single: bool) -> String {
    let time = report.handshake_us.map_or("-".to_owned(), units::microseconds);
    let address = address_text::written(report.remote);
    let verdict = report.verdict.name();
    let mut line = format!("{verdict:<VERDICT$}  {time:>8}  {}", harmless(host));
    if !address.starts_with(host) {
        line.push_str(&format!(" ({address})"));
    }
    if report.is_checksum_enabled == Some(true) {
        line.push_str(", with checksums");
    }
    if report.is_join_denied == Some(true) {
        line.push_str(", no further subflows to this address");
    }
    if is_single {
        let variants = Verdict::TABLE.variants.iter();
        let doc = variants.filter(|variant| variant.name == verdict).map(|variant| variant.doc);
        let words = doc.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        line.push_str(&format!("\n{}", words.replace('`', "")));
    }
    line
}

fn json_of(host: &str, found: &Result<ProbeReport, Failure>) -> Value {
    let mut all = serde_json::Map::new();
    all.insert("host".to_owned(), host.into());
    match found {
        Ok(report) => all.extend(json::fields(report)),
        Err(failure) => {
            all.insert("error".to_owned(), failure.json()["error"].clone());
        }
    }
    Value::Object(all)
}

/// How many hosts got which verdict.
#[derive(Default)]
struct Summary {
    verdicts: [u64; Verdict::ALL.len()],
    failed: u64,
}

impl Summary {
    fn count(&mut self, found: &Result<ProbeReport, Failure>) {
        let place = found
            .as_ref()
            .ok()
            .and_then(|report| Verdict::ALL.iter().position(|verdict| *verdict == report.verdict));
        match place {
            Some(place) => self.verdicts[place] += 1,
            None => self.failed += 1,
        }
    }

    fn total(&self) -> u64 {
        self.verdicts.iter().sum::<u64>() + self.failed
    }

    /// `1000 hosts: 312 Mptcp (31.2 %), 688 Tcp (68.8 %)`.
    fn text(&self) -> String {
        let total = self.total();
        let share = |count: u64| format!("{:.1} %", count as f64 * 100.0 / total.max(1) as f64);
        let named = Verdict::ALL.iter().map(|verdict| verdict.name()).zip(self.verdicts);
        let all = named.chain([("not probed", self.failed)]).filter(|(_, count)| *count > 0);
        let parts: Vec<_> =
            all.map(|(name, count)| format!("{count} {name} ({})", share(count))).collect();
        format!(
            "{total} hosts: {}",
            if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
        )
    }

    fn exit(&self) -> Exit {
        let works = Verdict::ALL.iter().position(|verdict| *verdict == Verdict::Mptcp);
        let works = works.map_or(0, |place| self.verdicts[place]);
        if works == self.total() { Exit::Done } else { Exit::Failed }
    }
}

fn trace_all(out: &mut Output, hosts: Hosts) -> Result<u8, Failure> {
    let mut exit = Exit::Done;
    for (_, host) in hosts {
        let target = host?;
        let found = trace::trace(target.resolve()?)?;
        if !found.is_answered_by_mptcp() {
            exit = Exit::Failed;
        }
        if out.is_json() {
            let mut object = serde_json::Map::new();
            object.insert("host".to_owned(), target.text.into());
            if let Value::Object(fields) = found.json() {
                object.extend(fields);
            }
            out.object(&Value::Object(object))?;
        } else {
            out.table(&table(&found))?;
            out.line(found.conclusion())?;
        }
    }
    Ok(exit.into())
}

fn table(found: &Trace) -> Table {
    let columns = [("HOP", Align::Right), ("ADDRESS", Align::Left), ("RTT", Align::Right)];
    let mut table = Table::new(columns.into_iter().chain([("MP_CAPABLE", Align::Left)]));
    for (number, address, rtt, shown) in found.rows() {
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let address: Cell = text(address.map(|ip| ip.to_string())).into();
        table.row([
            number.to_string().into(),
            address,
            text(rtt.map(units::duration)).into(),
            shown.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_have_comments() {
        let text = "# servers\n\nexample.org\n  192.0.2.1:80  \nnot a host\n";
        let found: Vec<_> = targets(io::Cursor::new(text)).collect();
        let texts: Vec<_> = found.iter().map(|(text, host)| (&**text, host.is_ok())).collect();
        assert_eq!(texts, [("example.org", true), ("192.0.2.1:80", true), ("not a host", false)]);
    }

    #[test]
    fn a_summary_counts_every_host() {
        let mut summary = Summary::default();
        assert_eq!(summary.text(), "0 hosts: none");
        summary.verdicts[0] = 1;
        assert_eq!(summary.exit(), Exit::Done);
        summary.count(&Err(Failure::new(ErrorKind::Unreachable, "no such name")));
        assert_eq!(summary.text(), "2 hosts: 1 Mptcp (50.0 %), 1 not probed (50.0 %)");
        assert_eq!(summary.exit(), Exit::Failed);
    }
}
