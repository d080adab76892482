//! A subflow leaves by the interface that was asked for, or `open` fails: old kernels (Linux 6.1 and 6.8)
//! leave the choice to the routing table.

mod common;

use std::io::{self, Write};

use common::ways::{self, peer};
use common::{judge, open_handed};
use subflows::{ErrorKind, Open};
use subflows_lab::{Net, skip_unless_ready};

/// The second path was reported as open, and nothing ever went over it.
#[test]
fn a_second_path_was_none() {
    skip_unless_ready!();
    let net = open_handed(Net::two_subnets().unwrap());
    // A lab on an old kernel has the rules that make it work.
    for family in ["-4", "-6"] {
        let rules = net.client.ip(&[family, "rule", "show"]).unwrap();
        for rule in rules.lines().filter(|rule| !rule.contains("from all")) {
            let words: Vec<&str> = rule.split_whitespace().skip(1).collect();
            net.client.ip(&[&[family, "rule", "delete"], &words[..]].concat()).unwrap();
        }
    }
    for pair in ways::controlled(&net) {
        let is_v4 = peer(&pair).is_ipv4();
        let _entered = net.client.enter().unwrap();
        let path = &net.paths[1];
        let by_name = Open::new().interface(&path.client_interface);
        let by_address = ways::second(&net, &pair);
        let ours = judge::token(&pair.client);
        for open in [&by_name, &by_address] {
            let before = judge::by_ss(&net.client, ours);
            let opened = subflows::open(&pair.client, open);
            // For the table of `make kernels`.
            let outcome =
                opened.as_ref().map_or_else(|e| format!("{:?}", e.kind()), |_| "ok".into());
            let line = format!("verb: open by interface, without rules as root: {outcome}\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            let opened = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                    assert!(error.remedy().contains("ip rule add from "), "{}", error.remedy());
                    assert_eq!(judge::by_ss(&net.client, ours), before, "it left a subflow behind");
                    let from = path.client_ip(peer(&pair).ip()).to_string();
                    let server = path.server_ips().into_iter().find(|ip| ip.is_ipv4() == is_v4);
                    let (via, device) = (server.unwrap().to_string(), &path.client_interface);
                    let family = if is_v4 { "-4" } else { "-6" };
                    let rule = [family, "rule", "add", "from", &from, "lookup", "100"];
                    net.client.ip(&rule).unwrap();
                    let route = [
                        family, "route", "add", "default", "via", &via, "dev", device, "table",
                        "100",
                    ];
                    net.client.ip(&route).unwrap();
                    let opened = subflows::open(&pair.client, open).unwrap();
                    net.client.ip(&[family, "route", "flush", "table", "100"]).unwrap();
                    net.client.ip(&[family, "rule", "delete", "from", &from]).unwrap();
                    opened
                }
            };
            subflows::close(&pair.client, opened.id).unwrap();
        }
        assert!(pair.moves_data());
    }
}
