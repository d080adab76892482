//! Settings and counters are as sysctl(8) and nstat(8) show them.

mod common;

use std::collections::BTreeMap;

use common::child::{helper_without_rights, only_as_child, plays};
use common::deny::give_up_net_admin;
use common::{Pair, expect_error};
use subflows::table::{Record, Reflect, Value};
use subflows::{Connect, ErrorKind, OptionValue, Settings};
use subflows_lab::{Namespace, Net, has_sysctl, oracle, skip, skip_unless_ready};

fn text(value: Value<'_>) -> Option<String> {
    match value {
        Value::UInt(number) => Some(number.to_string()),
        Value::Bool(on) => Some(u8::from(on).to_string()),
        Value::Text(text) => Some(text.to_owned()),
        _ => None,
    }
}

/// The settings that the library reports, by name.
fn ours(namespace: &Namespace) -> BTreeMap<String, String> {
    let settings = namespace.run(subflows::settings).unwrap();
    let all = Settings::FIELDS.iter().enumerate();
    all.filter_map(|(index, field)| Some((field.name.to_owned(), text(settings.get(index))?)))
        .collect()
}

fn theirs(namespace: &Namespace) -> BTreeMap<String, String> {
    let shown = namespace.output("sysctl", &["net.mptcp"]).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(" = ")?;
        Some((name.strip_prefix("net.mptcp.")?.to_owned(), value.trim().to_owned()))
    };
    shown.lines().filter_map(pair).collect()
}

/// Also a newer kernel's: then the record needs a field.
#[test]
fn every_setting_of_this_kernel_is_reported_and_no_other() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let shown = theirs(&namespace);
    assert!(shown.contains_key("enabled"));
    assert_eq!(ours(&namespace), shown);
}

#[test]
fn a_setting_is_set_by_its_name() {
    skip_unless_ready!();
    let (namespace, other) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let before = theirs(&other);
    let set = |name: &str, value: OptionValue| namespace.run(|| subflows::set_setting(name, value));
    let values: [(&str, &[OptionValue], &[&str]); 11] = [
        ("enabled", &[false.into(), true.into(), 0.into(), 1.into()], &["0", "1", "0", "1"]),
        ("add_addr_timeout", &[7.into()], &["7"]),
        ("checksum_enabled", &[true.into(), false.into()], &["1", "0"]),
        ("allow_join_initial_addr_port", &[false.into()], &["0"]),
        ("stale_loss_cnt", &[0.into(), u32::MAX.into()], &["0", "4294967295"]),
        ("pm_type", &[1.into(), 0.into()], &["1", "0"]),
        ("path_manager", &["userspace".into(), "kernel".into()], &["userspace", "kernel"]),
        ("scheduler", &["default".into()], &["default"]),
        ("close_timeout", &[1.into()], &["1"]),
        ("blackhole_timeout", &[0.into()], &["0"]),
        ("syn_retrans_before_tcp_fallback", &[255.into()], &["255"]),
    ];
    for (name, values, written) in values {
        for (value, written) in values.iter().zip(written) {
            if !has_sysctl(&format!("net.mptcp.{name}")) {
                let error = expect_error(set(name, value.clone()), ErrorKind::Unsupported);
                assert!(error.remedy().contains("Linux"), "{error}");
                continue;
            }
            set(name, value.clone()).unwrap();
            assert_eq!(theirs(&namespace)[name], *written, "{name}");
            assert_eq!(ours(&namespace), theirs(&namespace));
        }
    }
    assert_eq!(theirs(&other), before);
}

#[test]
fn a_value_that_makes_no_sense_changes_nothing() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let before = theirs(&namespace);
    let refused = |name: &str, value: OptionValue, remedy: &str| {
        if !has_sysctl(&format!("net.mptcp.{name}"))
            && Settings::FIELDS.iter().any(|f| f.name == name)
        {
            return;
        }
        let set = namespace.run(|| subflows::set_setting(name, value));
        let error = expect_error(set, ErrorKind::InvalidArgument);
        assert!(error.remedy().contains(remedy), "{error}");
        assert_eq!(theirs(&namespace), before, "{name}");
    };
    refused("enabled", 2.into(), "true or false");
    refused("enabled", "perhaps".into(), "true or false");
    refused("checksum_enabled", OptionValue::from(&[1][..]), "true or false");
    refused("add_addr_timeout", true.into(), "number of seconds");
    refused("add_addr_timeout", "long".into(), "number of seconds");
    refused("close_timeout", u64::MAX.into(), "number of seconds");
    refused("blackhole_timeout", (1u64 << 31).into(), "number of seconds");
    refused("stale_loss_cnt", (1u64 << 32).into(), "0 to 4294967295");
    refused("syn_retrans_before_tcp_fallback", 256.into(), "0 to 255");
    refused("pm_type", 2.into(), "1 for userspace");
    refused("path_manager", 1.into(), "kernel userspace");
    for wrong in ["", "kernel\n", "kernel x", "kernel\0", "none", &"k".repeat(4000)] {
        refused("path_manager", wrong.into(), "kernel userspace");
        refused("scheduler", wrong.replace("kernel", "default").as_str().into(), "default");
    }
    refused("available_schedulers", "default".into(), "module");
    for name in ["", "frobnication", "../ipv4/ip_forward", "net.mptcp.enabled"] {
        refused(name, true.into(), "checksum_enabled");
    }
}

#[test]
#[ignore = "a child of other tests"]
fn helper_nobody() {
    only_as_child!();
    assert_eq!(subflows::settings().unwrap().enabled, Some(true));
    assert!(subflows::counters().unwrap().iter().any(|counter| counter.name == "MPCapableSYNRX"));
    let error = expect_error(subflows::set_setting("enabled", false), ErrorKind::NotPermitted);
    assert!(error.to_string().contains("net.mptcp.enabled"), "{error}");
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    assert!(error.remedy().contains("setpriv"), "{error}");
    assert!(!error.remedy().contains("subflows broker"), "{error}");
}

#[test]
fn an_unprivileged_user_reads_and_sets_nothing() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    let mut helper = helper_without_rights("helper_nobody");
    match helper.output() {
        Ok(_) => plays(&mut helper),
        Err(_) => skip("there is no other user here"),
    }
    // Root may write the files of /proc/sys/net without the right.
    namespace.run(|| {
        give_up_net_admin();
        subflows::set_setting("enabled", true).unwrap();
    });
}

fn connected(net: &Net) -> Pair {
    let pair = common::connect(net, net.paths[0].server_v4.into(), &Connect::new());
    pair.make_ready();
    pair
}

/// Each by name, of the thread's namespace, whichever that of the main thread is.
#[test]
fn counters_are_those_of_nstat() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let _pair = connected(&net);
    for namespace in [&net.client, &net.server] {
        let counters = namespace.run(subflows::counters).unwrap();
        assert!(counters.len() > 10);
        for counter in &counters {
            let shown = oracle::nstat(namespace, &format!("MPTcpExt{}", counter.name));
            assert_eq!(shown, counter.value, "{}", counter.name);
        }
        let shown = namespace.output("nstat", &["-asz"]).unwrap();
        let count = shown.lines().filter(|line| line.starts_with("MPTcpExt")).count();
        assert_eq!(count, counters.len());
    }
    let value = |namespace: &Namespace, name: &str| {
        let counters = namespace.run(subflows::counters).unwrap();
        counters.iter().find(|counter| counter.name == name).unwrap().value
    };
    assert_eq!(value(&net.server, "MPCapableSYNRX"), 1);
    assert_eq!(value(&net.client, "MPCapableSYNRX"), 0);
    assert_eq!(value(&net.client, "MPCapableSYNTX"), 1);
}
