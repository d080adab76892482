//! Paths from which nothing comes back are visible, and so is the reason if this host knows it.

use std::io::Write;

use subflows::{ConnectionsOptions, Details, Subflow};
use subflows_lab::{Net, ignores_interfaces, skip_unless_ready, wait_until};

use crate::common::ways::{pull_cable, second};
use crate::common::{SOON, controlled, open_handed};

/// `list` once showed a path as in use whose packets had been lost for seconds.
#[test]
fn a_path_that_is_silent_is_visible_in_list_and_details() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    for to in net.paths[0].server_ips() {
        let pair = controlled(&net, to);
        let _entered = net.client.enter().unwrap();
        let extra = subflows::open(&pair.client, &second(&net, &pair)).unwrap();
        let list = || -> Vec<Subflow> { subflows::list(&pair.client).unwrap() };
        assert!(list().iter().all(|subflow| subflow.unanswered_ms.is_none()));
        pull_cable(&net, 1);
        // The initial subflow becomes a backup, so that the data goes over the other one.
        subflows::set_backup(&pair.client, list()[0].id, true).unwrap();
        let silent = || list().into_iter().find(|subflow| subflow.id == extra.id);
        wait_until(SOON, "the silence", || {
            (&pair.client).write_all(&[0; 1000]).unwrap();
            silent().and_then(|subflow| subflow.unanswered_ms).is_some_and(|ms| ms > 300)
        });
        let details = subflows::details(&pair.client, extra.id).unwrap();
        assert!(details.unanswered_ms.is_some_and(|ms| ms > 300), "{details:?}");
        // This host sees nothing wrong with its own address and cable.
        assert!(!details.is_address_gone && !details.is_carrier_gone, "{details:?}");
        assert_eq!(list()[0].unanswered_ms, None);
        net.paths[1].plug_in().unwrap();
        wait_until(SOON, "the answer", || silent().is_none_or(|s| s.unanswered_ms.is_none()));
    }
}

#[test]
fn an_address_a_carrier_and_an_interface_that_are_gone_are_visible() {
    skip_unless_ready!();
    for family in 0..2 {
        let net = open_handed(Net::two_subnets().unwrap());
        let to = net.paths[0].server_ips()[family];
        let pair = controlled(&net, to);
        let _entered = net.client.enter().unwrap();
        let path = &net.paths[1];
        let name = &path.client_interface;
        let bound = subflows::open(&pair.client, &second(&net, &pair)).unwrap();
        let ours = || -> [Details; 2] {
            let token = subflows::status(&pair.client).unwrap().token;
            let with = ConnectionsOptions::new().subflows(true);
            let all = subflows::connections(&with).unwrap();
            let found = all.into_iter().find(|found| Some(found.token) == token).unwrap();
            let same = found.subflows.into_iter().find(|s| s.local == bound.local).unwrap();
            [subflows::details(&pair.client, bound.id).unwrap(), same]
        };
        let initial = subflows::list(&pair.client).unwrap()[0].id;
        let shows = |address: bool, carrier: bool| {
            for details in ours() {
                let seen = (details.is_address_gone, details.is_carrier_gone);
                assert_eq!(seen, (address, carrier), "{details:?}");
            }
            let other = subflows::details(&pair.client, initial).unwrap();
            assert!(!other.is_address_gone && !other.is_carrier_gone, "{other:?}");
        };
        shows(false, false);
        path.carrier_down().unwrap();
        // The kernel reports it up to a second later.
        wait_until(SOON, "the loss of the carrier", || ours()[0].is_carrier_gone);
        shows(false, true);
        path.carrier_up().unwrap();
        wait_until(SOON, "the carrier", || !ours()[0].is_carrier_gone);
        let address = path.client_ip(to).to_string();
        let length = if to.is_ipv4() { "/24" } else { "/64" };
        net.client.ip(&["addr", "del", &format!("{address}{length}"), "dev", name]).unwrap();
        shows(true, false);
        net.client.ip(&["link", "del", name]).unwrap();
        // A subflow that the kernel has not bound to an interface does not show that this one is gone.
        let is_bound = !ignores_interfaces();
        shows(true, is_bound);
        let [details, _] = ours();
        assert_eq!(details.interface_index.is_some(), is_bound, "{details:?}");
        assert_eq!(details.interface, None);
        assert!(pair.moves_data());
    }
}
