//! What `watch` knows: the connections, their rates, their order, and which is selected.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use subflows::{Connection, Details};

use super::rates::Flow;

/// What the connections are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Rate,
    Sent,
    Received,
    Subflows,
    Remote,
}

impl Sort {
    const ALL: [Sort; 5] = [Sort::Rate, Sort::Sent, Sort::Received, Sort::Subflows, Sort::Remote];

    pub(super) fn name(self) -> &'static str {
        match self {
            Sort::Rate => "rate",
            Sort::Sent => "sent",
            Sort::Received => "received",
            Sort::Subflows => "subflows",
            Sort::Remote => "remote address",
        }
    }

    fn next(self) -> Sort {
        let place = Sort::ALL.iter().position(|known| *known == self).unwrap_or(0);
        Sort::ALL[(place + 1) % Sort::ALL.len()]
    }
}

/// A flow is known by the connection's token, and by the cookie of a subflow.
type Key = (u32, Option<u64>);

pub(super) struct Model {
    pub(super) connections: Vec<Connection>,
    flows: HashMap<Key, Flow>,
    pub(super) sort: Sort,
    pub(super) is_reversed: bool,
    /// The token of the selected connection.
    selected: Option<u32>,
}

impl Model {
    pub(super) fn new() -> Model {
        Model {
            connections: Vec::new(),
            flows: HashMap::new(),
            sort: Sort::Rate,
            is_reversed: false,
            selected: None,
        }
    }

    /// Takes a new reading, this long after the one before.
    pub(super) fn update(&mut self, connections: Vec<Connection>, since: Duration) {
        let mut flows = HashMap::new();
        let mut add = |key: Key, counters| {
            let mut flow = self.flows.remove(&key).unwrap_or_default();
            flow.add(counters, since);
            flows.insert(key, flow);
        };
        for connection in &connections {
            add((connection.token, None), total(connection));
            for subflow in &connection.subflows {
                add((connection.token, Some(subflow.cookie)), counters(subflow));
            }
        }
        // Those that have ended are forgotten.
        self.flows = flows;
        self.connections = connections;
        self.arrange();
    }

    /// The rates of a connection, or of one of its subflows.
    pub(super) fn flow(&self, connection: &Connection, subflow: Option<&Details>) -> Option<&Flow> {
        self.flows.get(&(connection.token, subflow.map(|subflow| subflow.cookie)))
    }

    fn rate(&self, connection: &Connection) -> f64 {
        let rate = self.flow(connection, None).and_then(Flow::rate);
        rate.map_or(0.0, |[sent, received]| sent + received)
    }

    fn arrange(&mut self) {
        let mut connections = std::mem::take(&mut self.connections);
        connections.sort_by(|a, b| {
            let order = match self.sort {
                Sort::Rate => self.rate(b).total_cmp(&self.rate(a)),
                Sort::Sent => total(b)[0].cmp(&total(a)[0]),
                Sort::Received => total(b)[1].cmp(&total(a)[1]),
                Sort::Subflows => b.subflows.len().cmp(&a.subflows.len()),
                Sort::Remote => a.remote.cmp(&b.remote),
            };
            let order = if self.is_reversed { order.reverse() } else { order };
            // Equal ones must not change places.
            order.then(a.token.cmp(&b.token))
        });
        self.connections = connections;
    }

    pub(super) fn sort_by_next(&mut self) {
        self.sort = self.sort.next();
        self.arrange();
    }

    pub(super) fn reverse(&mut self) {
        self.is_reversed = !self.is_reversed;
        self.arrange();
    }

    /// The place of the selected connection: the first, until another is selected or if it has ended.
    pub(super) fn place(&self) -> usize {
        let place = self.connections.iter().position(|found| Some(found.token) == self.selected);
        place.unwrap_or(0)
    }

    /// Selects the connection that is so many places further down.
    pub(super) fn select(&mut self, further: isize) {
        let last = self.connections.len().saturating_sub(1);
        let place = self.place().saturating_add_signed(further).min(last);
        self.selected = self.connections.get(place).map(|found| found.token);
    }

    /// The sum of the newest rates: sent and received. `None` if no rate is known yet.
    pub(super) fn total_rate(&self) -> Option<[f64; 2]> {
        let rates = self.connections.iter().filter_map(|found| self.flow(found, None)?.rate());
        rates.reduce(|sum, rate| [sum[0] + rate[0], sum[1] + rate[1]])
    }

    pub(super) fn subflows(&self) -> usize {
        self.connections.iter().map(|found| found.subflows.len()).sum()
    }
}

/// The bytes of a subflow: sent, retransmissions included, and received.
pub(super) fn counters(subflow: &Details) -> [u64; 2] {
    [subflow.bytes_sent, subflow.bytes_received]
}

/// The bytes of a connection: those of its programs, or before Linux 6.5 those of its subflows.
pub(super) fn total(connection: &Connection) -> [u64; 2] {
    let sum = |of: usize| connection.subflows.iter().map(|subflow| counters(subflow)[of]).sum();
    [
        connection.info.bytes_sent.unwrap_or_else(|| sum(0)),
        connection.info.bytes_received.unwrap_or_else(|| sum(1)),
    ]
}

/// The order of two subflows: as they were opened.
pub(super) fn by_age(a: &Details, b: &Details) -> Ordering {
    a.cookie.cmp(&b.cookie)
}

#[cfg(test)]
mod tests {
    use subflows::{Connect, ConnectionsOptions, Listen};

    use super::*;

    /// Three connections that nothing else changes, from a real one.
    fn three() -> Vec<Connection> {
        let server = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        let address = server.local_addr().unwrap();
        let client = subflows::connect(address, &Connect::new()).unwrap();
        let local = client.local_addr().unwrap();
        let options = ConnectionsOptions::new().subflows(true);
        let all = subflows::connections(&options).unwrap();
        let real = all.into_iter().find(|found| found.local == local).unwrap();
        [(1, 300, 0), (2, 100, 10), (3, 200, 70)]
            .map(|(token, sent, received)| {
                let mut made = real.clone();
                (made.token, made.info.bytes_sent) = (token, Some(sent));
                made.info.bytes_received = Some(received);
                made
            })
            .into()
    }

    fn tokens(model: &Model) -> Vec<u32> {
        model.connections.iter().map(|found| found.token).collect()
    }

    #[test]
    fn the_fastest_is_first_and_the_selection_stays_with_its_connection() {
        let mut model = Model::new();
        let second = Duration::from_secs(1);
        let mut connections = three();
        model.update(connections.clone(), second);
        assert_eq!((tokens(&model), model.total_rate()), (vec![1, 2, 3], None));
        model.select(1);
        assert_eq!(model.place(), 1);
        connections[2].info.bytes_sent = Some(1200);
        connections[1].info.bytes_received = Some(510);
        model.update(connections.clone(), second);
        assert_eq!(tokens(&model), [3, 2, 1]);
        assert_eq!(model.place(), 1);
        assert_eq!(model.total_rate(), Some([1000.0, 500.0]));
        model.reverse();
        assert_eq!(tokens(&model), [1, 2, 3]);
        model.reverse();
        model.sort_by_next();
        assert_eq!((model.sort, tokens(&model)), (Sort::Sent, vec![3, 1, 2]));
        model.select(-9);
        assert_eq!(model.place(), 0);
        model.select(9);
        assert_eq!(model.place(), 2);
        // Its connection has ended.
        connections.remove(1);
        model.update(connections, second);
        assert_eq!(model.place(), 0);
        assert_eq!(model.flows.keys().filter(|(token, _)| *token == 2).count(), 0);
        model.update(Vec::new(), second);
        model.select(1);
        assert_eq!((model.place(), model.subflows()), (0, 0));
    }
}
