//! Options of a single subflow: the one is changed, the others are not, and nothing is left behind.

#[path = "../common/mod.rs"]
mod common;

mod causes;
mod effects;
mod hostile;
mod leaks;
mod object;
mod one;

use common::Pair;
use common::judge;
use common::ways::peer;
use subflows::{Open, OptionValue, Subflow, SubflowOption};
use subflows_lab::oracle::SsSubflow;
use subflows_lab::{Net, ready, skip};

/// Whether this process may run BPF programs; reports a skip if not.
fn can_set() -> bool {
    if !ready() {
        return false;
    }
    let all = subflows::capabilities().unwrap();
    let found = all.into_iter().find(|found| found.name == "options").unwrap();
    if !found.is_available {
        skip(&found.cause.unwrap_or_default());
    }
    found.is_available
}

/// The id of the initial subflow, which is 1 on Linux 6.5 and newer.
fn initial(sock: &std::net::TcpStream) -> u32 {
    subflows::list(sock).unwrap()[0].id
}

/// Opens a subflow from that path.
fn open(net: &Net, pair: &Pair, path: usize) -> Subflow {
    let options = Open::new().local(net.paths[path].client_ip(peer(pair).ip()));
    net.client.run(|| subflows::open(&pair.client, &options)).unwrap()
}

fn set(
    net: &Net,
    pair: &Pair,
    id: u32,
    option: SubflowOption,
    value: impl Into<OptionValue> + Send,
) {
    let set = net.client.run(|| subflows::set_option(&pair.client, id, option, value));
    set.unwrap_or_else(|error| panic!("{option}: {error}"));
}

fn get(net: &Net, pair: &Pair, id: u32, option: SubflowOption) -> OptionValue {
    let value = net.client.run(|| subflows::get_option(&pair.client, id, option));
    value.unwrap_or_else(|error| panic!("{option}: {error}"))
}

/// The subflow as ss shows it.
fn by_ss(net: &Net, pair: &Pair, subflow: &Subflow) -> SsSubflow {
    let token = judge::token(&pair.client);
    judge::ss_find(&net.client, token, (subflow.local, subflow.remote)).unwrap()
}
