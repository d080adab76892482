//! Without these, earlier bugs of the C library come back.

mod common;

use std::process::Command;

use common::{program, run};

fn is_fixed(case: &str) {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "regressions", &[]);
    run(Command::new(program).arg(case).current_dir(&folder));
}

cases! { is_fixed:
    a_service_of_more_than_16_bits_is_cut
    half_a_pointer_is_followed
    a_connection_is_made_without_a_handle
    a_daemon_loses_the_end_of_its_logs
    every_address_is_half_of_them
    no_descriptor_left_is_an_invalid_argument
    wrong_arguments_have_no_remedy
}
