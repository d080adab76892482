//! Without these, a program whose calls move between threads reads another call's error, or none.

mod common;

use std::process::Command;

use common::{program, run};

fn reports(case: &str) {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "failures", &["-pthread"]);
    run(Command::new(program).arg(case));
}

cases! { reports:
    a_failure_is_copied_whole
    a_success_leaves_zeros
    a_failure_is_not_wanted
    a_wrong_size_does_nothing
    a_larger_struct_ends_in_zeros
    a_long_text_is_cut_between_characters
    each_thread_has_its_own
    a_thread_that_ends_has_the_kind
}
