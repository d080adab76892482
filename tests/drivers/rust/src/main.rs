//! The driver in Rust: see tests/conform/PROTOCOL.md.
fn main() {
    subflows_driver::serve("rust", &mut subflows_driver::Library::default());
}
