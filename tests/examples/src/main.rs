//! `cargo play [LANGUAGE [ARGUMENT...]]` runs the examples that people copy, each in a network of its
//! own, and checks what they print and what they do.
//!
//! Without a language: the examples in rust, c and python, for which nothing has to be installed
//! first.
//! `ruby RUBY` needs the gem in GEM_HOME, `java JAVA JAR` the jar of the binding.

mod players;
mod stories;
mod table;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use players::Player;
use stories::Run;

/// How many examples run at once. They mostly wait.
const AT_ONCE: usize = 4;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Built as the user who runs this; the networks are made as root.
    let players = match players::players(&arguments) {
        Ok(players) => players,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if let Err(why) = subflows_lab::become_root_in_user_namespace() {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    if let Err(why) = subflows_lab::can_make_namespaces() {
        println!("skipped: {why}\n0 passed, 0 failed, 1 skipped");
        return ExitCode::SUCCESS;
    }
    let failed = play(&players);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays everything and returns how many examples failed.
fn play(players: &[Player]) -> usize {
    // The reason is printed below, with the example's name.
    panic::set_hook(Box::new(|_| {}));
    let runs: Vec<Run<'_>> = players
        .iter()
        .flat_map(|player| player.examples.iter().map(move |example| Run { player, example }))
        .collect();
    let (next, failed, printing) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs.len()) {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let result = panic::catch_unwind(AssertUnwindSafe(|| stories::play(run)));
                    let seconds = start.elapsed().as_secs_f64();
                    let (file, player) = (run.example.file, run.player.name);
                    let _alone = printing.lock();
                    match result {
                        Ok(()) => println!("ok     {file} {player} ({seconds:.1} s)"),
                        Err(panic) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("FAILED {file} {player}: {}", reason(&*panic));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("{} passed, {failed} failed, 0 skipped", runs.len() - failed);
    failed
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}
