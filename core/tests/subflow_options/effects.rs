//! What an option of one path does to that path, and not to the other.

use std::io::Write;
use std::time::{Duration, Instant};

use subflows::SubflowOption;
use subflows_lab::{Direction, Net, WireOptions, wait_until};

use super::common::{SOON, open_handed, ways};
use super::{can_set, initial, open, set};

fn wires() -> Net {
    let near = WireOptions {
        delay: Duration::from_millis(5),
        rate_bits_per_second: Some(200_000_000),
        ..WireOptions::default()
    };
    open_handed(Net::wires(&[("wifi", near), ("lte", near)]).unwrap())
}

/// Reads everything that arrives, and drops it.
fn drain(stream: &std::net::TcpStream) -> std::thread::JoinHandle<u64> {
    let mut from = stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut from, &mut std::io::sink()).unwrap_or(0))
}

/// Writes until the time is over.
fn write_for(mut stream: &std::net::TcpStream, time: Duration) {
    let (start, chunk) = (Instant::now(), vec![7u8; 64 * 1024]);
    while start.elapsed() < time {
        stream.write_all(&chunk).unwrap();
    }
}

/// Measures again if the result is too little: on a busy host a program may be too slow, but not too fast.
fn at_least(least: f64, measure: impl Fn() -> f64) -> f64 {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let measured = measure();
        if measured >= least || Instant::now() > deadline {
            return measured;
        }
    }
}

#[test]
fn the_maximum_pacing_rate_of_one_path_shows_on_its_wire() {
    if !can_set() {
        return;
    }
    /// Bytes per second, of segments without their headers.
    const RATE: u64 = 1_000_000;
    let net = wires();
    let _inside = net.client.enter().unwrap();
    for pair in ways::controlled(&net) {
        let second = open(&net, &pair, 1);
        let id = second.id;
        set(&net, &pair, id, SubflowOption::MaxPacingRate, RATE);
        let drained = drain(&pair.server);
        let backups = |first: bool, second: bool| {
            net.client.run(|| {
                subflows::set_backup(&pair.client, initial(&pair.client), first).unwrap();
                subflows::set_backup(&pair.client, id, second).unwrap();
            });
        };
        let path = || {
            let paths = subflows::list(&pair.client).unwrap();
            paths.into_iter().find(|path| path.id == id).unwrap()
        };
        let bytes = || net.paths[1].wire().unwrap().counters(Direction::ToServer).bytes;
        backups(true, false);
        // The first window of a subflow is sent at once.
        write_for(&pair.client, Duration::from_secs(2));
        let measured = || {
            let (start, bytes_before, before) = (Instant::now(), bytes(), path());
            write_for(&pair.client, Duration::from_secs(4));
            let (took, bytes_after, after) = (start.elapsed().as_secs_f64(), bytes(), path());
            let on_wire = (bytes_after - bytes_before) as f64;
            // What the kernel paces is data; a frame has headers too.
            let data = (after.bytes_sent - before.bytes_sent) as f64;
            (on_wire / took) / (RATE as f64 * on_wire / data)
        };
        let ratio = at_least(0.95, measured);
        assert!((0.95..1.05).contains(&ratio), "{ratio} of the rate");
        // The other path is not limited.
        backups(false, true);
        // What still waits on the limited path goes first.
        write_for(&pair.client, Duration::from_secs(2));
        let sent = || subflows::list(&pair.client).unwrap().remove(0).bytes_sent;
        let rate = at_least(4.0 * RATE as f64, || {
            let (before, start) = (sent(), Instant::now());
            write_for(&pair.client, Duration::from_secs(2));
            (sent() - before) as f64 / start.elapsed().as_secs_f64()
        });
        assert!(rate > 4.0 * RATE as f64, "{rate} bytes per second");
        drop(pair);
        drained.join().unwrap();
    }
}

#[test]
fn the_user_timeout_of_one_path_ends_that_path_only() {
    if !can_set() {
        return;
    }
    for way in 0..3 {
        let net = wires();
        let _inside = net.client.enter().unwrap();
        let pair = ways::controlled(&net).remove(way);
        let second = open(&net, &pair, 1);
        set(&net, &pair, second.id, SubflowOption::UserTimeout, 700);
        let _drained = drain(&pair.server);
        write_for(&pair.client, Duration::from_millis(300));
        ways::pull_cable(&net, 1);
        let start = Instant::now();
        wait_until(SOON, "the second path to end", || {
            write_for(&pair.client, Duration::from_millis(20));
            subflows::list(&pair.client).unwrap().iter().all(|path| path.id != second.id)
        });
        // Without the timeout it would take a quarter of an hour.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(subflows::list(&pair.client).unwrap().len(), 1);
        write_for(&pair.client, Duration::from_millis(100));
    }
}

#[test]
fn two_congestion_controls_on_two_paths_both_carry() {
    if !can_set() {
        return;
    }
    let net = wires();
    let _inside = net.client.enter().unwrap();
    let available = net.client.sysctl("net.ipv4.tcp_available_congestion_control").unwrap();
    let other = if available.split(' ').any(|name| name == "bbr") { "bbr" } else { "cubic" };
    for (family, pair) in ways::controlled(&net).into_iter().enumerate() {
        let first = subflows::list(&pair.client).unwrap().remove(0);
        let second = open(&net, &pair, 1);
        set(&net, &pair, second.id, SubflowOption::CongestionControl, other);
        set(&net, &pair, first.id, SubflowOption::CongestionControl, "reno");
        let before = [0, 1].map(|path: usize| net.paths[path].bytes().unwrap().total());
        let drained = drain(&pair.server);
        write_for(&pair.client, Duration::from_secs(2));
        for path in [0, 1] {
            let carried = net.paths[path].bytes().unwrap().total() - before[path];
            assert!(carried > 500_000, "way {family}, path {path}: {carried}");
        }
        net.client.run(|| {
            let control = |id| subflows::details(&pair.client, id).unwrap().congestion_control;
            assert_eq!(control(first.id).as_deref(), Some("reno"));
            assert_eq!(control(second.id).as_deref(), Some(other));
        });
        drop(pair);
        drained.join().unwrap();
    }
}
