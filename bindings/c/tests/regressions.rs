//! Without these, earlier bugs of the C library come back.

mod common;

use std::process::Command;

use common::{program, root, run};

fn is_fixed(case: &str) {
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("bindings/c/tests/regressions.c");
    let program = program("gcc", "gnu11", &source, &folder.path().join("regressions"));
    run(Command::new(program).arg(case).current_dir(&folder));
}

#[test]
fn a_service_of_more_than_16_bits_is_cut() {
    is_fixed("a_service_of_more_than_16_bits_is_cut");
}

#[test]
fn half_a_pointer_is_followed() {
    is_fixed("half_a_pointer_is_followed");
}

#[test]
fn a_connection_is_made_without_a_handle() {
    is_fixed("a_connection_is_made_without_a_handle");
}

#[test]
fn a_daemon_loses_the_end_of_its_logs() {
    is_fixed("a_daemon_loses_the_end_of_its_logs");
}

#[test]
fn every_address_is_half_of_them() {
    is_fixed("every_address_is_half_of_them");
}

#[test]
fn no_descriptor_left_is_an_invalid_argument() {
    is_fixed("no_descriptor_left_is_an_invalid_argument");
}
