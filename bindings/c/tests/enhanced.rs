//! Without these, programs that were written for the enhanced socket API of 2016 do not run.

mod common;
#[path = "common/echo.rs"]
mod echo;

use common::{compiler, program, run};
use echo::{ends, network};
use subflows_lab::skip_unless_ready;

const REPLACED: [&str; 3] = ["-DSUBFLOWS_ENHANCED_REPLACE", "-include", "subflows/enhanced.h"];

#[test]
fn a_program_of_that_time_lives_its_whole_life() {
    skip_unless_ready!();
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "enhanced", &REPLACED);
    for words in ends(&net) {
        run(net.client.command(&program).args(words));
    }
}

/// With the system's headers, in each standard, and with the structures as the patched kernels had them.
#[test]
fn the_header_is_c_and_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("header.c");
    let text = "
        #include <netinet/tcp.h>
        #include <linux/mptcp.h>
        #include <stddef.h>
        #include <subflows/enhanced.h>
        #include <subflows.h>
        #define IS(name, condition) typedef char name[(condition) ? 1 : -1]
        IS(a, sizeof(struct mptcp_sub_status) == 2 && sizeof(struct mptcp_sub_ids) == 2);
        IS(b, sizeof(struct mptcp_close_sub_id) == 1 && sizeof(struct mptcp_sub_tuple) == 1);
        IS(c, offsetof(struct mptcp_sub_tuple, addrs) == 1);
        IS(d, sizeof(struct mptcp_sub_getsockopt) == 32 && sizeof(struct mptcp_sub_setsockopt) == 32);
        IS(e, offsetof(struct mptcp_sub_getsockopt, optlen) == 24);
    ";
    std::fs::write(&source, text).unwrap();
    for (name, standard) in [("gcc", "c99"), ("gcc", "c11"), ("g++", "c++11"), ("g++", "c++17")] {
        let mut command = compiler(name, standard);
        let language = if name == "g++" { "c++" } else { "c" };
        run(command.args(["-Wno-unused", "-fsyntax-only", "-x", language]).arg(&source));
    }
}

/// Sanitizers find nothing in what the options copy.
#[test]
fn nothing_is_written_beyond_what_the_caller_has() {
    skip_unless_ready!();
    let net = network();
    let folder = tempfile::tempdir().unwrap();
    let flags = [&REPLACED[..], &["-fsanitize=address,undefined"]].concat();
    let program = program(folder.path(), "enhanced", &flags);
    for words in ends(&net) {
        run(net.client.command(&program).args(words));
    }
}
