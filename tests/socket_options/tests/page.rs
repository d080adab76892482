//! OPTIONS.md contains what the running kernel answers.

use std::fs;
use std::path::Path;

use subflows_lab::{Namespace, skip, skip_unless_ready};
use subflows_socket_options::page;

/// Whether this process is root of the whole system: in a user namespace, the kernel refuses more.
fn is_root_of_the_system() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[test]
fn the_page_is_what_the_kernel_answers() {
    skip_unless_ready!();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../OPTIONS.md");
    let written = fs::read_to_string(path).unwrap();
    let release = page::release().unwrap();
    if !written.contains(&format!(" on Linux {release} as root.")) {
        return skip(&format!("OPTIONS.md was measured on another kernel than {release}"));
    }
    if !is_root_of_the_system() {
        return skip("OPTIONS.md was measured as root of the whole system");
    }
    let _inside = Namespace::new().unwrap().enter().unwrap();
    let measured = page::page(Path::new(env!("CARGO_BIN_EXE_subflows-socket-options"))).unwrap();
    let differ = |(written, measured): (&str, &str)| {
        (written != measured).then(|| format!("written:  {written}\nmeasured: {measured}\n"))
    };
    let stale: Vec<_> = written.lines().zip(measured.lines()).filter_map(differ).collect();
    assert!(
        written == measured,
        "run `cargo run --package subflows-socket-options`\n{}",
        stale.concat()
    );
}
