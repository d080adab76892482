//! `subflows doctor`: for this host, a server and a connection. What each finding is about is tested in core.

mod common;

use std::net::TcpListener;

use common::*;
use serde_json::Value;
use subflows::table::Record;
use subflows::{Connect, Finding, State};
use subflows_lab::{Net, skip_unless_ready};

/// The first line of what is printed, if it ends with that status.
fn first(run: &Run, code: i32) -> &str {
    assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{run:?}");
    run.stdout.lines().next().unwrap()
}

#[test]
fn the_remedies_are_followed_until_the_doctor_is_content() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = Pair::new(&net, net.paths[0].server_v4.into(), false);
    pair.move_data();
    let token = pair.token(&net);
    let server = pair.client.peer_addr().unwrap().to_string();
    net.client.ip(&["mptcp", "limits", "set", "subflows", "0"]).unwrap();
    let mut rounds = 0;
    for target in [&[][..], &[server.as_str()], &[token.as_str()]] {
        loop {
            rounds += 1;
            assert!(rounds < 9, "the remedies do not help");
            let run = subflows(&net.client, &[&["doctor"], target].concat());
            if run.code == Some(0) {
                assert_eq!(first(&run, 0), "nothing prevents a second subflow");
                break;
            }
            let kind = first(&run, 1).split(':').next().unwrap();
            assert!(["LimitSubflows", "NoEndpoint"].contains(&kind), "{run:?}");
            let remedy = run.stdout.lines().nth(1).unwrap().trim().trim_end_matches('.');
            let command: Vec<_> = remedy.strip_prefix("Run ").unwrap().split(' ').collect();
            net.client.output(command[0], &command[1..]).unwrap();
        }
    }
    assert!(rounds >= 5, "{rounds}");
}

#[test]
fn findings_are_lines_of_json_and_a_status() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let plain = net.server.run(|| TcpListener::bind((net.paths[0].server_v4, 0))).unwrap();
    let address = plain.local_addr().unwrap();
    let client = net.client.run(|| subflows::connect(address, &Connect::new())).unwrap();
    assert_eq!(subflows::status(&client).unwrap().state, State::FellBack);
    let all = net.client.run(|| subflows::connections(&Default::default())).unwrap();
    let token = format!("{:08x}", all[0].token);

    for (target, kind) in [(address.to_string(), "PeerWithoutMptcp"), (token, "FellBack")] {
        let run = subflows(&net.client, &["doctor", "--json", &target]);
        assert_eq!(run.code, Some(1), "{run:?}");
        let lines: Vec<Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.iter().all(|line| names(line) == fields(Finding::FIELDS)), "{run:?}");
        assert_eq!((&lines[0]["kind"], &lines[0]["severity"]), (&kind.into(), &"Blocking".into()));
        let run = subflows(&net.client, &["doctor", &target]);
        assert!(first(&run, 1).starts_with(&format!("{kind}: ")), "{run:?}");
    }
    subflows(&net.client, &["doctor", "1f"]).fails(4);
    assert_eq!(
        subflows(&net.client, &["doctor", "--json", "0.0.0.0:1"]).fails_with(2),
        "InvalidArgument"
    );
}
