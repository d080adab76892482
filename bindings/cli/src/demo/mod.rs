//! A demonstration on a network of its own: one connection, two paths, all the verbs.
//!
//! The server sends, so that the peer has to comply when the client marks a subflow as backup. The
//! calling thread takes the steps, in the client's namespace; two other threads send and receive.
//! The amount of data that has arrived decides which step is due, so that the demonstration is the
//! same on any machine.

mod chart;
mod history;
mod report;
mod screen;
mod story;
mod transfer;

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use subflows::{Connect, Listen};
use subflows_lab::{Net, WireOptions};

use crate::failure::Failure;
use crate::units;
use history::History;
use report::Report;
use screen::Screen;
use story::{Act, Step};
use transfer::{Sink, Source};

/// The paths, by their indices in the network and in the arrays below.
const FIRST: usize = 0;
const SECOND: usize = 1;
pub(crate) const NAMES: [&str; 2] = ["wifi", "lte"];
const RATES: [u64; 2] = [200_000_000, 100_000_000];
const DELAYS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(15)];
/// For terminals of 256 colours, and for the chart.
const COLOURS: [(u8, (u8, u8, u8)); 2] = [(75, (33, 118, 199)), (208, (226, 113, 19))];

/// The interval between two readings of the subflows.
const TICK: Duration = Duration::from_millis(50);
/// The timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Transfers `size` bytes, prints the steps, draws the chart. The report may still be that the data
/// was damaged.
pub(crate) fn run(size: u64, chart: &Path, is_for_programs: bool) -> Result<Report, Failure> {
    chart::check(chart)?;
    let options = |path: usize| WireOptions {
        delay: DELAYS[path],
        rate_bits_per_second: Some(RATES[path]),
        ..WireOptions::default()
    };
    let wires = [(NAMES[FIRST], options(FIRST)), (NAMES[SECOND], options(SECOND))];
    let net =
        Net::wires(&wires).map_err(|error| Failure::system("cannot make the network", &error))?;
    let mut screen = Screen::new(is_for_programs);
    introduce(&mut screen, size, &net)?;
    resolve_neighbours(&net)?;
    let mut demo = Demo::begin(size, &net, screen)?;
    let result = demo.play();
    // The steps stay on the terminal, even if the transfer failed.
    demo.screen.settle()?;
    let checksum_received = result?;
    let report = demo.finish(chart, checksum_received)?;
    Ok(report)
}

fn introduce(screen: &mut Screen, size: u64, net: &Net) -> Result<(), Failure> {
    let size = units::bytes(size);
    screen.title(&format!("{size} from a server to a client, over two wires:"))?;
    for (index, path) in net.paths.iter().enumerate() {
        screen.say(&format!(
            "  {:<5} {:>10}, {} each way, {} → {}",
            NAMES[index],
            units::rate(RATES[index] as f64),
            units::duration(DELAYS[index]),
            path.client_v4,
            path.server_v4
        ))?;
    }
    Ok(screen.say("")?)
}

/// Makes the ends of each wire resolve each other's hardware addresses. Otherwise the first segment
/// of a subflow waits for that, and the round-trip time that it measures is twice as long.
fn resolve_neighbours(net: &Net) -> Result<(), Failure> {
    const DISCARD: u16 = 9;
    let _in_client = net.client.enter().map_err(|error| Failure::system("cannot start", &error))?;
    for path in &net.paths {
        let options =
            Connect::new().interface(path.client_interface.as_str()).timeout(CONNECT_TIMEOUT);
        // It is refused, because no program listens there.
        let _ = subflows::connect((path.server_v4, DISCARD), &options);
    }
    Ok(())
}

/// A running demonstration.
struct Demo<'a> {
    net: &'a Net,
    size: u64,
    sock: TcpStream,
    source: Source,
    sink: Sink,
    screen: Screen,
    history: History,
    steps: Vec<Step>,
    /// Dropped, it returns the thread to its former namespace.
    _in_client: subflows_lab::Entered,
}

impl<'a> Demo<'a> {
    /// Starts the server and connects to it.
    fn begin(size: u64, net: &'a Net, mut screen: Screen) -> Result<Demo<'a>, Failure> {
        let lab = |error| Failure::system("cannot start", &error);
        let address = SocketAddr::new(net.paths[FIRST].server_v4.into(), 0);
        let listener = net.server.run(|| subflows::listen(address, &Listen::new()))?;
        let source = Source::start(listener, size).map_err(lab)?;
        let _in_client = net.client.enter().map_err(lab)?;
        let mut history = History::new();
        let options = Connect::new().control(true).timeout(CONNECT_TIMEOUT);
        let sock = subflows::connect(source.address, &options)?;
        let step = Step {
            act: Act::Connect,
            at: history.now(),
            call: "connect(control)".to_owned(),
            text: format!("over {}; the application controls the paths", NAMES[FIRST]),
        };
        screen.step(&step)?;
        history.read(&sock, net)?;
        let sink = Sink::start(sock.try_clone().map_err(lab)?).map_err(lab)?;
        let steps = vec![step];
        Ok(Demo { net, size, sock, source, sink, screen, history, steps, _in_client })
    }

    /// Takes the steps as the data arrives, and returns its checksum.
    fn play(&mut self) -> Result<String, Failure> {
        let mut due = Act::MIDDLE.into_iter().peekable();
        loop {
            if let Some(result) = self.sink.wait(TICK) {
                let checksum =
                    result.map_err(|error| Failure::system("the transfer failed", &error))?;
                // The report shows whether the data is complete.
                self.note_end();
                return Ok(checksum);
            }
            self.history.read(&self.sock, self.net)?;
            let received = self.sink.received();
            let is_due = |(_, percent): &(Act, u64)| received >= self.size / 100 * percent;
            if let Some((act, _)) = due.next_if(is_due) {
                let step = story::make(act, &self.sock, self.net, &self.history)?;
                self.screen.step(&step)?;
                self.steps.push(step);
                self.history.read(&self.sock, self.net)?;
            }
            if due.peek().is_none() {
                self.source.release();
            }
            let is_pulled = self.steps.iter().any(|step| step.act == Act::Pull);
            self.screen.update(&self.history, received, self.size, is_pulled);
        }
    }

    fn note_end(&mut self) {
        let received = self.sink.received();
        self.steps.push(Step {
            act: Act::Finish,
            at: self.history.now(),
            call: "done".to_owned(),
            text: format!("{} received", units::bytes(received)),
        });
    }

    /// Compares the checksums, draws the chart, and makes the report.
    fn finish(mut self, chart: &Path, checksum_received: String) -> Result<Report, Failure> {
        if let Some(step) = self.steps.last() {
            self.screen.step(step)?;
        }
        let failed = |error| Failure::system("the server failed", &error);
        let checksum_sent = self.source.checksum().map_err(failed)?;
        let title = format!("{} over one connection and two paths", units::bytes(self.size));
        chart::write(chart, &title, &self.history, &self.steps)?;
        Ok(Report {
            size: self.size,
            received: self.sink.received(),
            checksum_sent,
            checksum_received,
            wires: history::on_the_wires(self.net),
            history: self.history,
            steps: self.steps,
            chart: chart.to_owned(),
        })
    }
}
