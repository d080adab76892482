//! The command `subflows`. All of it is in the library, for tests and documentation.

mod as_started;

fn main() -> std::process::ExitCode {
    subflows_cli::signals::restore_with(as_started::restore);
    subflows_cli::run()
}
