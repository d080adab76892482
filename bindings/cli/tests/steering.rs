//! list, open, close and set-backup on a connection that another process holds, judged by ss.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;

use common::*;
use serde_json::Value;
use subflows::table::Record;
use subflows::{Connection, Details, Subflow};
use subflows_lab::{
    Net, ignores_interfaces, is_before, oracle, ready, skip_unless_ready, wait_until,
};

/// The client's subflows as ss reports them: the local address, and whether it is marked as backup.
fn seen(net: &Net, pair: &Pair) -> Vec<(IpAddr, bool)> {
    let remote = pair.client.peer_addr().unwrap();
    let all = oracle::ss_subflows(&net.client);
    let ours = all.iter().filter(|seen| seen.remote == remote && seen.state == "ESTAB");
    let mut seen: Vec<_> = ours.map(|seen| (seen.local.ip(), seen.flags.contains('b'))).collect();
    seen.sort();
    seen
}

#[test]
fn a_connection_of_another_process_is_steered() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    for to in net.paths[0].server_ips() {
        let pair = Pair::new(&net, to, true);
        let token = pair.token(&net);
        let run = |arguments: &[&str]| subflows(&net.client, arguments);
        let [here, there] = [&net.paths[0], &net.paths[1]].map(|path| path.client_ip(to));

        let listed = run(&["list", &token, "--json"]).objects();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        let first = listed[0]["id"].to_string();
        assert!(first == "1" || is_before(6, 5), "{listed}");
        assert_eq!(listed[0]["local"], pair.client.local_addr().unwrap().to_string());

        let opened = run(&["open", &token, "--interface", "eth1", "--backup", "--json"]).json();
        let local: SocketAddr = opened["local"].as_str().unwrap().parse().unwrap();
        assert_eq!(local.ip(), there);
        // Old kernels do not bind the subflow: the source address decides.
        let is_bound = opened["details"]["interface"] == "eth1";
        assert!(is_bound || ignores_interfaces(), "{opened}");
        assert_eq!(opened["details"]["is_backup"], true);
        assert_eq!(seen(&net, &pair), [(here, false), (there, true)]);

        let id = opened["id"].to_string();
        let said = run(&["set-backup", &token, &id, "no"]).ok();
        assert_eq!(said, format!("subflow {id} of {token} is no longer a backup\n"));
        assert_eq!(seen(&net, &pair), [(here, false), (there, false)]);
        assert_eq!(run(&["set-backup", &token, &first, "yes", "--json"]).ok(), "");
        assert_eq!(seen(&net, &pair), [(here, true), (there, false)]);

        let closed = run(&["close", &token, &first]).ok();
        assert_eq!(closed, format!("closed subflow {first} of {token}\n"));
        assert_eq!(seen(&net, &pair), [(there, false)]);
        pair.move_data();

        assert_eq!(run(&["close", &token, &id, "--json"]).fails_with(1), "InvalidState");
        run(&["close", &token, &id, "--force"]).ok();
        assert_eq!(seen(&net, &pair), []);
    }
}

#[test]
fn every_way_to_name_the_ends_is_understood() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.server.ip(&["mptcp", "limits", "set", "subflows", "8"]).unwrap();
    for to in net.paths[0].server_ips() {
        let pair = Pair::new(&net, to, true);
        let token = pair.token(&net);
        let remote = pair.client.peer_addr().unwrap();
        let second = SocketAddr::new(net.paths[1].server_ips()[usize::from(to.is_ipv6())], 0);
        let port = remote.port().to_string();
        let local = net.paths[1].client_ip(to).to_string();
        // The peer listens on one address only, and rejects a subflow to another.
        let [with_port, without] = [remote.to_string(), remote.ip().to_string()];
        for remote in [&with_port, &without] {
            let arguments = ["open", &token, "--local", &local, "--remote", remote, "--json"];
            let opened = subflows(&net.client, &arguments).json();
            assert_eq!(opened["remote"], with_port, "{opened}");
        }
        let elsewhere = SocketAddr::new(second.ip(), remote.port()).to_string();
        let arguments = ["open", &token, "--local", &local, "--remote", &elsewhere, "--json"];
        assert_eq!(subflows(&net.client, &arguments).fails_with(1), "Refused");
        let own_port = ["open", &token, "--local", &local, "--local-port", &port, "--json"];
        let opened = subflows(&net.client, &own_port).json();
        assert_eq!(
            opened["local"],
            SocketAddr::new(local.parse().unwrap(), remote.port()).to_string()
        );
    }
}

#[test]
fn a_timeout_is_kept() {
    skip_unless_ready!();
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    net.paths[1].pull_cable().unwrap();
    let arguments = ["open", &token, "--interface", "eth1", "--timeout", "200ms", "--json"];
    assert_eq!(subflows(&net.client, &arguments).fails_with(1), "TimedOut");
    pair.move_data();
}

#[test]
fn json_has_the_fields_of_the_tables() {
    skip_unless_ready!();
    let (net, _pair, token) = held(|net| net.paths[0].server_v6.into());
    let listed = subflows(&net.client, &["--json", "list", &token]).objects();
    let mut expected = fields(Subflow::FIELDS);
    expected.push("details");
    assert_eq!(names(&listed[0]), expected);
    assert_eq!(names(&listed[0]["details"]), fields(Details::FIELDS));
    assert_eq!(listed[0]["state"], "Established");
    assert!(listed[0]["rtt_us"].is_u64());

    let all = subflows(&net.client, &["connections", "--json"]).objects();
    let ours = all.as_array().unwrap().iter().find(|one| one["token"] == token.as_str()).unwrap();
    assert_eq!(names(ours), fields(Connection::FIELDS));
    assert_eq!(names(&ours["info"]), fields(subflows::Info::FIELDS));
    assert_eq!(names(&ours["subflows"][0]), fields(Details::FIELDS));
    // Before Linux 6.5 the kernel has no such counter.
    assert!(ours["info"]["bytes_sent"] == 1 || is_before(6, 5), "{ours}");
}

#[test]
fn tables_are_aligned_and_fit_a_hundred_columns() {
    skip_unless_ready!();
    let (net, _pair, token) = held(|net| net.paths[0].server_v6.into());
    subflows(&net.client, &["open", &token, "--interface", "eth1", "--backup"]).ok();
    for arguments in [&["list", token.as_str()][..], &["connections"], &["capabilities"]] {
        let text = subflows(&net.client, arguments).ok();
        assert!(text.is_ascii(), "colours without a terminal: {text:?}");
        // Causes and remedies stay on one line: they contain commands.
        let is_why = |line: &&str| ["cause: ", "remedy: "].iter().any(|why| line.contains(why));
        let longest = text.lines().filter(|line| !is_why(line)).map(str::len).max().unwrap();
        assert!(longest <= 100, "{longest}:\n{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }
    let list = subflows(&net.client, &["list", &token]).ok();
    let column = list.lines().next().unwrap().find("STATE").unwrap();
    let words: Vec<_> = list.lines().skip(1).map(|line| &line[column..]).collect();
    assert_eq!(words, ["in use", "backup"], "{list}");
    let connections = subflows(&net.client, &["connections"]).ok();
    // Old kernels do not bind the subflow.
    let is_bound = connections.contains("%eth1]:") || ignores_interfaces();
    assert!(connections.contains(&token) && is_bound, "{connections}");
}

#[test]
fn what_does_not_exist_is_reported() {
    skip_unless_ready!();
    let (net, _pair, token) = held(|net| net.paths[0].server_v4.into());
    let other = if token == "00000001" { "00000002" } else { "00000001" };
    for verb in [&["list", other][..], &["open", other], &["close", other, "1"]] {
        let text = subflows(&net.client, verb).fails(4);
        assert!(text.starts_with("subflows: ") && text.contains(other), "{text}");
        assert!(text.contains("namespace"), "no remedy: {text}");
    }
    // It exists in that namespace, but not in this one.
    assert_eq!(subflows(&net.server, &["list", &token, "--json"]).fails_with(4), "Closed");
    let none = ["close", &token, "77", "--json"];
    assert_eq!(subflows(&net.client, &none).fails_with(4), "NoSuchSubflow");
    let none = ["set-backup", &token, "77", "yes", "--json"];
    assert_eq!(subflows(&net.client, &none).fails_with(4), "NoSuchSubflow");
    let quiet = Net::two_subnets().unwrap();
    let empty = subflows(&quiet.client, &["connections"]);
    assert!(empty.stderr.contains("no Multipath TCP connections"), "{empty:?}");
    assert_eq!(empty.ok(), "");
    assert_eq!(subflows(&quiet.client, &["connections", "--json"]).ok(), "");
}

#[test]
fn a_connection_of_the_kernels_path_manager_can_be_listed_and_closed() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.join_by_kernel().unwrap();
    let pair = Pair::new(&net, net.paths[0].server_v4.into(), false);
    wait_until(SOON, "the kernel's subflow", || seen(&net, &pair).len() == 2);
    let token = pair.token(&net);
    let run = |arguments: &[&str]| subflows(&net.client, arguments);
    assert_eq!(run(&["open", &token, "--json"]).fails_with(1), "NotControlled");
    let listed = run(&["list", &token, "--json"]).objects();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let first = listed[0]["id"].to_string();
    let backup = ["set-backup", &token, &first, "yes", "--json"];
    assert_eq!(run(&backup).fails_with(1), "NotControlled");
    run(&["close", &token, &first]).ok();
    wait_until(SOON, "the close", || seen(&net, &pair).len() == 1);
    pair.move_data();
}

#[test]
fn a_connection_without_a_holder_is_listed_and_left_alone() {
    skip_unless_ready!();
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    net.paths[0].pull_cable().unwrap();
    // The peer never answers its FIN: the connection continues without its program.
    drop(pair.client);
    // Children that other tests are starting share the descriptors of this process for a moment.
    let number = u32::from_str_radix(&token, 16).unwrap();
    wait_until(SOON, "the last holder to go", || {
        net.client.run(|| subflows::connection(number)).unwrap().inode == 0
    });
    let run = |arguments: &[&str]| subflows(&net.client, arguments);
    let listed = run(&["list", &token, "--json"]);
    assert!(listed.stderr.contains("no process holds connection"), "{listed:?}");
    let listed = listed.objects();
    assert!(listed[0]["id"].is_null(), "{listed}");
    assert!(listed[0]["details"]["cookie"].is_u64(), "{listed}");
    assert_eq!(run(&["close", &token, "1", "--json"]).fails_with(1), "InvalidState");
}

#[test]
fn without_the_right_one_may_look_and_not_touch() {
    if !ready() || !has_nobody() {
        return;
    }
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    let folder = Folder::new();
    let copy = folder.command();
    let run = |arguments: &[&str]| {
        let mut command = net.client.command("setpriv");
        as_nobody(&mut command, &copy);
        Run::of(command.args(arguments))
    };
    let can = run(&["capabilities", "--json"]).objects();
    let is_details = |one: &&Value| one["name"] == "details";
    let details = can.as_array().unwrap().iter().find(is_details).unwrap();
    if details["is_available"] == true {
        let all = run(&["connections", "--json"]).objects();
        assert_eq!(all[0]["token"], token.as_str());
        let listed = run(&["list", &token, "--json"]);
        assert!(listed.stderr.contains("not permitted"), "{listed:?}");
        let listed = listed.objects();
        assert_eq!(names(&listed[0]).len(), Subflow::FIELDS.len() + 1);
        assert!(listed[0]["id"].is_null() && listed[0]["rto_us"].is_null(), "{listed}");
        assert_eq!(listed[0]["local"], pair.client.local_addr().unwrap().to_string());
        assert!(run(&["list", &token]).ok().lines().nth(1).unwrap().starts_with(" -  10.0.1.1"));
    } else {
        // Before Linux 6.15 the kernel hides subflows. The connections are shown in any case.
        assert!(run(&["connections"]).ok().contains(&token));
        for verb in [&["connections"][..], &["list", &token]] {
            let failed = run(&[verb, &["--json"]].concat());
            assert_eq!(failed.code, Some(3), "{failed:?}");
            assert!(failed.stderr.contains("NotPermitted"), "{failed:?}");
        }
    }
    for verb in [&["open"][..], &["close", "1"], &["set-backup", "1", "yes"]] {
        let arguments = [&verb[..1], &[&token], &verb[1..]].concat();
        let text = run(&arguments).fails(3);
        assert!(text.contains("root"), "no remedy: {text}");
        let json = [&arguments[..], &["--json"]].concat();
        assert_eq!(run(&json).fails_with(3), "NotPermitted");
    }
    let capabilities = run(&["capabilities"]).ok();
    assert!(capabilities.contains("cause: ") && capabilities.contains("remedy: "));

    // If a process of that user holds the socket as well, it can be borrowed; changing subflows
    // still requires the capability.
    let mut command = net.client.command("setpriv");
    as_nobody(&mut command, "cat");
    let socket = std::os::fd::OwnedFd::from(pair.client.try_clone().unwrap());
    let mut holder = command.stdin(socket).stdout(Stdio::null()).spawn().unwrap();
    wait_until(SOON, "the list from inside", || {
        let listed = run(&["list", &token, "--json"]);
        listed.code == Some(0) && listed.objects()[0]["id"].is_u64()
    });
    assert_eq!(run(&["open", &token, "--json"]).fails_with(3), "NotPermitted");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// The README's command with setpriv(1), which is also the remedy of `NotPermitted`, with the rights for
/// options of a subflow as well.
#[test]
fn the_right_that_an_ordinary_user_is_given_suffices() {
    if !ready() || !has_nobody() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let folder = Folder::new();
    let mut command = net.client.command("setpriv");
    let rights = "+net_admin,+bpf,+perfmon";
    command.args([format!("--inh-caps={rights}"), format!("--ambient-caps={rights}")]);
    as_nobody(&mut command, folder.command());
    let can = Run::of(command.args(["capabilities", "--json"])).objects();
    let missing: Vec<_> =
        can.as_array().unwrap().iter().filter(|can| can["is_available"] != true).collect();
    // Older kernels lack this, with and without the right.
    let missing: Vec<_> = missing.into_iter().filter(|can| can["name"] != "full_info").collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The command then reported that the interface is missing, or used another one.
#[test]
fn the_scope_of_a_local_address_was_ignored() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let path = &net.paths[1];
    let add = ["address", "add", "fe80::c/64", "nodad", "dev"];
    for path in &net.paths {
        net.client.ip(&[&add[..], &[path.client_interface.as_str()]].concat()).unwrap();
    }
    let end = ["address", "add", "fe80::5/64", "nodad", "dev", path.server_interface.as_str()];
    net.server.ip(&end).unwrap();
    let pair = Pair::new(&net, net.paths[0].server_v6.into(), true);
    let token = pair.token(&net);
    let run = |more: &[&str]| {
        let open = ["open", &token, "--json", "--remote", "fe80::5", "--local"];
        subflows(&net.client, &[&open[..], more].concat())
    };
    if ignores_interfaces() {
        // Without its scope, the kernel cannot use such an address.
        let local = format!("fe80::c%{}", path.client_interface);
        assert_eq!(run(&[&local]).fails_with(1), "Unsupported");
        return pair.move_data();
    }
    // It arrives at the peer, which does not listen at that address.
    let local = format!("fe80::c%{}", path.client_interface);
    assert_eq!(run(&[&local]).fails_with(1), "Refused");
    assert_eq!(run(&[&local, "--interface", &path.client_interface]).fails_with(1), "Refused");
    let other = net.paths[0].client_interface.as_str();
    assert_eq!(run(&[&local, "--interface", other]).fails_with(2), "InvalidArgument");
    pair.move_data();
}
