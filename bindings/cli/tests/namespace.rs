//! What belongs to the whole network namespace: endpoints, limits, settings, counters, and the processes of
//! connections, judged by other commands.

mod common;

use common::*;
use serde_json::Value;
use subflows::table::Record;
use subflows::{Counter, Endpoint, Limits, ProcessInfo, Settings};
use subflows_lab::{Namespace, Net, oracle, skip_unless_ready};

#[test]
fn endpoints_are_added_changed_and_removed() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let run = |arguments: &[&str]| subflows(&net.client, arguments);
    let none = run(&["endpoints"]);
    assert!(none.stderr.contains("no endpoints"), "{none:?}");
    assert_eq!(run(&["endpoints", "--json"]).ok(), "");

    let add = ["endpoints", "add", "10.0.2.1", "--subflow", "--backup", "--interface", "eth1"];
    let added = run(&[&add[..], &["--json"]].concat()).json();
    assert_eq!(names(&added), fields(Endpoint::FIELDS));
    assert_eq!((&added["id"], &added["address"]), (&1.into(), &"10.0.2.1".into()));
    assert_eq!(added["interface"], "eth1");
    assert_eq!(added["port"], Value::Null);
    let shown = run(&["endpoints", "add", "127.0.0.1", "--signal", "--port", "4321"]).ok();
    let lines: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = ["ID", "ADDRESS", "PORT", "INTERFACE", "FLAGS"];
    assert_eq!(lines, [&header[..], &["2", "127.0.0.1", "4321", "signal"]]);
    assert_eq!(run(&["endpoints", "show"]).ok().lines().count(), 3);
    assert_eq!(oracle::endpoints(&net.client).len(), 2);

    run(&["endpoints", "change", "1", "--backup", "no", "--fullmesh", "yes"]).ok();
    let shown = net.client.ip(&["mptcp", "endpoint", "show", "id", "1"]).unwrap();
    assert!(shown.contains("fullmesh") && !shown.contains("backup"), "{shown}");
    let error = run(&["endpoints", "change", "2", "--fullmesh", "yes"]).fails(2);
    assert!(error.contains("signal") && error.lines().count() == 2, "{error}");
    assert_eq!(run(&["endpoints", "remove", "7", "--json"]).fails_with(4), "NoSuchEndpoint");
    run(&["endpoints", "remove", "2"]).ok();
    assert_eq!(oracle::endpoints(&net.client).len(), 1);
    assert_eq!(run(&["endpoints", "flush", "--json"]).ok(), "");
    assert_eq!(oracle::endpoints(&net.client), []);

    // A link-local address names its interface.
    let added = run(&["endpoints", "add", "fe80::1%eth0", "--subflow", "--json"]).json();
    assert_eq!((&added["address"], &added["interface"]), (&"fe80::1".into(), &"eth0".into()));
}

#[test]
fn limits_are_set_one_at_a_time() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let run = |arguments: &[&str]| subflows(&namespace, arguments);
    let limits = run(&["limits", "--json"]).json();
    assert_eq!(names(&limits), fields(Limits::FIELDS));
    assert_eq!(limits["subflows"], 2);
    run(&["limits", "set", "--add-addr-accepted", "3"]).ok();
    run(&["limits", "set", "--subflows", "8"]).ok();
    let shown = namespace.ip(&["mptcp", "limits", "show"]).unwrap();
    assert!(shown.contains("add_addr_accepted 3 subflows 8"), "{shown}");
    let text = run(&["limits", "show"]).ok();
    assert!(text.contains("subflows               8"), "{text}");
    let error = run(&["limits", "set", "--subflows", "65"]).fails(2);
    assert!(error.contains("subflows 65") && error.contains("0 to 8"), "{error}");
}

#[test]
fn settings_are_shown_and_set_by_name() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let run = |arguments: &[&str]| subflows(&namespace, arguments);
    let all = run(&["settings", "--json"]).json();
    assert_eq!(names(&all), fields(Settings::FIELDS));
    assert_eq!(all["checksum_enabled"], false);
    run(&["settings", "checksum-enabled", "yes"]).ok();
    run(&["settings", "net.mptcp.stale_loss_cnt", "9"]).ok();
    assert_eq!(namespace.sysctl("net.mptcp.checksum_enabled").unwrap().trim(), "1");
    assert_eq!(run(&["settings", "stale_loss_cnt"]).ok(), "9\n");
    assert_eq!(run(&["settings", "checksum_enabled", "--json"]).json()["checksum_enabled"], true);
    let text = run(&["settings"]).ok();
    assert!(text.contains("add_addr_timeout") && text.contains("seconds"), "{text}");
    let error = run(&["settings", "checksum_enabled", "perhaps"]).fails(2);
    assert!(error.contains("perhaps") && error.contains("true or false"), "{error}");
    let error = run(&["settings", "frobnication"]).fails(2);
    assert!(error.contains("The settings are: enabled"), "{error}");
    let json = run(&["settings", "frobnication", "1", "--json"]).fails_with(2);
    assert_eq!(json, "InvalidArgument");
}

#[test]
fn counters_are_shown_without_those_that_are_zero() {
    skip_unless_ready!();
    let (net, _pair, _) = held(|net| net.paths[0].server_v4.into());
    let run = |arguments: &[&str]| subflows(&net.client, arguments);
    let all = run(&["counters", "--json"]).objects();
    let all = all.as_array().unwrap();
    assert!(all.iter().all(|one| names(one) == fields(Counter::FIELDS)));
    let shown = run(&["counters"]).ok();
    let nonzero = all.iter().filter(|one| one["value"] != 0).count();
    assert_eq!(shown.lines().count(), nonzero + 1, "{shown}");
    assert!(shown.contains("MPCapableSYNTX"), "{shown}");
    assert_eq!(run(&["counters", "--all"]).ok().lines().count(), all.len() + 1);
    let fresh = subflows(&Namespace::new().unwrap(), &["counters"]);
    assert!(fresh.stderr.contains("is 0"), "{fresh:?}");
}

#[test]
fn connections_name_their_processes_on_request() {
    skip_unless_ready!();
    let (net, _pair, token) = held(|net| net.paths[0].server_v4.into());
    let run = |arguments: &[&str]| subflows(&net.client, arguments);
    let listed = run(&["connections", "--processes", "--json"]).objects();
    assert_eq!(listed[0]["token"], *token);
    let process = &listed[0]["processes"][0];
    assert_eq!(names(process), fields(ProcessInfo::FIELDS));
    assert_eq!(process["pid"], std::process::id());
    let name = process["name"].as_str().unwrap();
    let text = run(&["connections", "--processes"]).ok();
    assert!(text.contains(&format!("{name}[{}]", std::process::id())), "{text}");
    let without = run(&["connections", "--json"]).objects();
    assert_eq!(without[0]["processes"], Value::Array(Vec::new()));
    assert!(!run(&["connections"]).ok().contains("PROCESS"));
}

#[test]
fn an_unprivileged_user_shows_everything_and_changes_nothing() {
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let folder = Folder::new();
    let copy = folder.command();
    let run = |arguments: &[&str]| {
        let mut command = namespace.command("setpriv");
        as_nobody(&mut command, &copy);
        Run::of(command.args(arguments))
    };
    for show in ["endpoints", "limits", "settings", "counters", "connections"] {
        run(&[show, "--json"]).ok();
    }
    for change in [
        &["endpoints", "add", "192.0.2.1"][..],
        &["endpoints", "remove", "1"],
        &["endpoints", "flush"],
        &["limits", "set", "--subflows", "1"],
        &["settings", "enabled", "no"],
    ] {
        let error = run(change).fails(3);
        assert!(error.contains("CAP_NET_ADMIN") && error.contains("setpriv"), "{error}");
    }
}
