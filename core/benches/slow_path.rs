//! Prints the table of GUIDE.md about a much slower second path: `cargo bench -p subflows --bench slow_path`.
//!
//! A fast path (100 Mbit/s, 5 ms each way) and a slow one (2 Mbit/s, 100 ms each way), on wires of the lab.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use subflows::{Connect, Listen, Open};
use subflows_lab::{Net, WireOptions};

/// How long a download is measured.
const DOWNLOAD: Duration = Duration::from_secs(10);
/// The sizes of answers, and how many of them are requested one after the other.
const ANSWERS: [(u32, usize); 2] = [(1_000, 100), (100_000, 50)];

#[derive(Clone, Copy)]
enum Paths {
    Fast,
    Both,
    SlowAsBackup,
    Slow,
}

const ROWS: [(Paths, &str); 4] = [
    (Paths::Fast, "the fast path alone"),
    (Paths::Both, "both, the slow one as a regular subflow"),
    (Paths::SlowAsBackup, "both, the slow one as backup"),
    (Paths::Slow, "the slow path alone"),
];

fn wire(megabits: u64, delay: u64) -> WireOptions {
    WireOptions {
        rate_bits_per_second: Some(megabits * 1_000_000),
        delay: Duration::from_millis(delay),
        ..WireOptions::default()
    }
}

fn net() -> io::Result<Net> {
    let net = Net::wires(&[("fast", wire(100, 5)), ("slow", wire(2, 100))])?;
    net.raise_limits()?;
    Ok(net)
}

/// Answers each request, which is the size of the answer, until the client has gone.
fn serve(mut client: &TcpStream) -> io::Result<()> {
    let (mut size, chunk) = ([0; 4], vec![1; 64 << 10]);
    while client.read_exact(&mut size).is_ok() {
        let mut left = u32::from_be_bytes(size) as usize;
        while left > 0 {
            let part = left.min(chunk.len());
            client.write_all(&chunk[..part])?;
            left -= part;
        }
    }
    Ok(())
}

fn ask(mut server: &TcpStream, size: u32) -> io::Result<Duration> {
    let (start, mut answer) = (Instant::now(), vec![0; size as usize]);
    server.write_all(&size.to_be_bytes())?;
    server.read_exact(&mut answer)?;
    Ok(start.elapsed())
}

/// Megabits per second.
fn download(mut server: &TcpStream) -> io::Result<f64> {
    let (start, mut received, mut chunk) = (Instant::now(), 0, vec![0; 64 << 10]);
    server.write_all(&u32::MAX.to_be_bytes())?;
    while start.elapsed() < DOWNLOAD {
        received += server.read(&mut chunk)?;
    }
    Ok(received as f64 * 8.0 / 1e6 / start.elapsed().as_secs_f64())
}

fn connect(net: &Net, paths: Paths) -> subflows::Result<(TcpStream, TcpStream)> {
    let first = &net.paths[usize::from(matches!(paths, Paths::Slow))];
    let address = (first.server_v4, 0);
    let listener = net.server.run(|| subflows::listen(address, &Listen::new()))?;
    let address = (first.server_v4, listener.local_addr().expect("an address").port());
    net.client.run(|| {
        let server = subflows::connect(address, &Connect::new().control(true))?;
        let (client, _) = listener.accept().expect("the connection");
        (&client).write_all(b"!").expect("a byte to send");
        (&server).read_exact(&mut [0]).expect("a byte");
        if let Paths::Both | Paths::SlowAsBackup = paths {
            let is_backup = matches!(paths, Paths::SlowAsBackup);
            subflows::open(&server, &Open::new().interface("slow").backup(is_backup))?;
        }
        Ok((server, client))
    })
}

/// The median and the 95th percentile of some answers, in milliseconds.
fn times(server: &TcpStream, size: u32, count: usize) -> io::Result<[f64; 2]> {
    let times: io::Result<Vec<_>> = (0..count).map(|_| ask(server, size)).collect();
    let mut times = times?;
    times.sort();
    Ok([count / 2, count * 95 / 100].map(|index| times[index].as_secs_f64() * 1e3))
}

fn measure(paths: Paths) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let net = net()?;
    let (server, client) = connect(&net, paths)?;
    thread::spawn(move || serve(&client));
    let mut cells = Vec::new();
    for (size, count) in ANSWERS {
        let [median, slowest] = times(&server, size, count)?;
        cells.push(format!("{median:.0} ms ({slowest:.0} ms)"));
    }
    cells.push(format!("{:.1} Mbit/s", download(&server)?));
    Ok(cells)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` only shows that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    println!("| paths | 1 kB answer: median (95 %) | 100 kB answer: median (95 %) | download |");
    println!("|---|---|---|---|");
    for (paths, words) in ROWS {
        println!("| {words} | {} |", measure(paths)?.join(" | "));
    }
    Ok(())
}
