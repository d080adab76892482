//! The command `subflows`. All of it is in the library, for tests and documentation.

fn main() -> std::process::ExitCode {
    subflows_cli::run()
}
