//! The command `subflows`. Everything is in the library, where tests and documentation reach it.

fn main() -> std::process::ExitCode {
    subflows_cli::run()
}
