//! Every message is read or rejected, and what is read has exactly one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subflows::broker::{Answer, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    // A client reads what a newer broker sends, so that some bytes do not count.
    if let Ok(answer) = Answer::parse(bytes) {
        assert_eq!(
            Answer::parse(&answer.encode()).map(|again| again.result.is_ok()),
            Ok(answer.result.is_ok())
        );
    }
});
