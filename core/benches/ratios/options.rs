//! Options of one subflow, compared with an iterator over TCP sockets whose program does nothing.

use std::hint::black_box;
use std::net::TcpStream;

use criterion::Criterion;
use subflows::{OptionValue, SubflowOption};
use subflows_lab::Namespace;

use crate::{crowd, iterator};

/// The groups, each with its number of TCP sockets.
pub const GROUPS: [(&str, usize); 2] = [("options of 20", 20), ("options of 1000", 1000)];

pub fn options(c: &mut Criterion) {
    if !subflows::capabilities()
        .expect("capabilities")
        .iter()
        .any(|found| found.name == "options" && found.is_available)
    {
        return eprintln!("skip: options of a subflow");
    }
    for (name, sockets) in GROUPS {
        let namespace = Namespace::new().expect("a namespace");
        let _inside = namespace.enter().expect("enter");
        // Both ends are in this namespace.
        let crowd = crowd(sockets / 2);
        let mut group = c.benchmark_group(name);
        let empty = iterator::Empty::load();
        group.bench_function("raw", |b| b.iter(|| empty.walk()));
        // A call ends at its subflow, wherever in the table that is: the mean over several.
        let mut turn = crowd.iter().map(|(client, _)| client).cycle();
        group.bench_function("get", |b| {
            b.iter(|| get(black_box(turn.next().expect("a connection"))));
        });
        group.bench_function("ours", |b| {
            b.iter(|| {
                let client = turn.next().expect("a connection");
                subflows::set_option(black_box(client), 1, SubflowOption::UserTimeout, 1000)
            });
        });
        group.finish();
    }
}

fn get(client: &TcpStream) -> OptionValue {
    subflows::get_option(client, 1, SubflowOption::UserTimeout).expect("get_option")
}
