//! Without these, a program that cancels one of its threads ends, and a namespace may stay
//! switched.

mod common;

use common::{program, root, run};
use subflows_lab::{Namespace, ready};

fn goes_on(case: &str) {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("bindings/c/tests/cancel.c");
    let program = program("gcc", "gnu11", &source, &folder.path().join("cancel"));
    run(Namespace::new().unwrap().command(program).arg(case));
}

#[test]
fn a_thread_that_waits_for_events_is_cancelled() {
    goes_on("a_thread_that_waits_for_events_is_cancelled");
}

#[test]
fn a_cancelled_wait_leaves_its_handle_of_no_use() {
    goes_on("a_cancelled_wait_leaves_its_handle_of_no_use");
}

#[test]
fn a_pending_cancellation_ends_a_call_in_the_middle() {
    goes_on("a_pending_cancellation_ends_a_call_in_the_middle");
}

#[test]
fn a_thread_that_takes_control_is_cancelled() {
    goes_on("a_thread_that_takes_control_is_cancelled");
}
