//! Without these, a program that cancels one of its threads ends, and a namespace may stay
//! switched.

mod common;

use common::{program, run};
use subflows_lab::{Namespace, skip_unless_ready};

fn goes_on(case: &str) {
    skip_unless_ready!();
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "cancel", &[]);
    run(Namespace::new().unwrap().command(program).arg(case));
}

cases! { goes_on:
    a_thread_that_waits_for_events_is_cancelled
    a_cancelled_wait_leaves_its_handle_of_no_use
    a_pending_cancellation_ends_a_call_in_the_middle
    a_thread_that_takes_control_is_cancelled
}
