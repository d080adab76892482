use std::time::Instant;
fn main() {
    let n = subflows_lab::Namespace::new().unwrap();
    let _e = n.enter().unwrap();
    let mut times = Vec::new();
    for _ in 0..20000 {
        let sock = subflows::socket(([127, 0, 0, 1], 0).into()).unwrap();
        let t = Instant::now();
        subflows::take_control(&sock).unwrap();
        times.push(t.elapsed().as_nanos() as u64);
    }
    times.sort();
    println!(
        "median {} p90 {} p99 {} p999 {} max {}",
        times[10000], times[18000], times[19800], times[19980], times[19999]
    );
}
