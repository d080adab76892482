//! The C library as it is shipped: built and linked once, by the script that `make install` uses.
#![allow(dead_code, unreachable_pub)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with `libsubflows.so.0` and `libsubflows.a`.
pub fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libsubflows");
        fs::create_dir_all(&folder).unwrap();
        // Several test programs may want it at once.
        let lock = File::create(folder.join("lock")).unwrap();
        let _locked = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
        let mut link = Command::new(root().join("bindings/c/link"));
        run(link.arg(&folder));
        folder
    })
}

/// A compiler's command line for a program that uses the library, with all warnings as errors.
pub fn compiler(name: &str, standard: &str) -> Command {
    let mut command = Command::new(name);
    command.arg(format!("-std={standard}"));
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-g"]);
    command.arg("-I").arg(root().join("include"));
    command
}

/// Compiles `NAME.c` of this folder to a program that finds the library in its own folder.
pub fn program(folder: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let mut command = compiler("gcc", "gnu11");
    let source = root().join("bindings/c/tests").join(name).with_extension("c");
    linked(command.args(flags), &source, folder.join(name))
}

/// Compiles a source by this command line, and links it.
pub fn linked(compiler: &mut Command, source: &Path, out: PathBuf) -> PathBuf {
    compiler.arg(source).arg("-o").arg(&out).arg("-L").arg(library());
    compiler.args(["-lsubflows", "-pthread"]);
    run(compiler.arg(format!("-Wl,-rpath,{}", library().display())));
    out
}

/// A test for each case of a program, by its name.
#[macro_export]
macro_rules! cases {
    ($run:ident: $($name:ident)*) => { $(
        #[test]
        fn $name() {
            $run(stringify!($name));
        }
    )* };
}

/// Runs a command that must succeed.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    output
}
