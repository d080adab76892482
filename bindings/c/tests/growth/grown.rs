//! A copy of the repository, of a later version, in which core has two more fields, one more option, and a bug.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::{root, run};

pub(crate) const ABI: &str = "bindings/c/abi.txt";
/// The changes that are made by hand, and the list of versions, which cargo writes.
pub(crate) const CHANGED: [&str; 5] = [
    "Cargo.lock",
    "Cargo.toml",
    "core/src/shared/subflow.rs",
    "core/src/verb/set_backup.rs",
    "core/src/wait/opening/options.rs",
];

/// The file of core, a line of its code, and the text to insert after that line.
const ADDITIONS: [(&str, &str, &str); 4] = [
    (
        CHANGED[2],
        "        last_acknowledgement_ms: u32 [Milliseconds],\n",
        "        /// Time that the peer's window was full.\n\
         \x20       receiver_limited_us: u64 [Microseconds],\n\
         \x20       /// Time that the send buffer was full.\n\
         \x20       sender_limited_us: Option<u64> [Microseconds \"9.9\"],\n",
    ),
    (
        CHANGED[2],
        "        last_acknowledgement_ms: tcp.tcpi_last_ack_recv,\n",
        "        receiver_limited_us: tcp.tcpi_rwnd_limited,\n\
         \x20       sender_limited_us: Some(tcp.tcpi_sndbuf_limited),\n",
    ),
    (
        CHANGED[4],
        "            local_port: u16 = 0,\n",
        "            /// How much it matters.\n            urgency: u32 = 0,\n",
    ),
    (
        CHANGED[3],
        "    pub fn set_backup(sock: &impl AsFd, id: u32, backup: bool) -> Result<()> {\n",
        "        assert!(id != u32::MAX, \"a bug\");\n",
    ),
];

/// The copy. The output of cargo is kept between runs.
pub(crate) struct Grown {
    pub(crate) root: PathBuf,
    target: PathBuf,
    _lock: nix::fcntl::Flock<File>,
}

/// The copy, made once, after `cargo regen`.
pub(crate) fn grown() -> &'static Grown {
    static GROWN: OnceLock<Grown> = OnceLock::new();
    GROWN.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("growth");
        let root = folder.join("repository");
        fs::create_dir_all(&root).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
        let grown = Grown { root, target: folder.join("target"), _lock: lock };
        grown.copy();
        run(&mut Command::new(grown.program("subflows-generate")));
        grown
    })
}

/// The files of the repository, as they are in the work tree.
fn files() -> BTreeSet<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root()).args(["ls-files", "-z", "--cached", "--others"]);
    let output = run(git.arg("--exclude-standard"));
    let names = String::from_utf8(output.stdout).unwrap();
    let names = names.split_terminator('\0').map(PathBuf::from);
    names.filter(|name| root().join(name).is_file()).collect()
}

/// The versions of the repository and of the copy. Cargo keeps what it builds of them apart.
const VERSIONS: [&str; 2] =
    [concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\"\n"), "\nversion = \"99.0.0\"\n"];

/// The text of a file in the copy, before `cargo regen`.
fn wanted(name: &Path) -> Vec<u8> {
    let mut text = fs::read(root().join(name)).unwrap();
    for (file, line, addition) in ADDITIONS {
        if Path::new(file) == name {
            let old = String::from_utf8(text).unwrap();
            assert_eq!(old.matches(line).count(), 1, "{file} has changed: choose another line");
            text = old.replace(line, &format!("{line}{addition}")).into_bytes();
        }
    }
    if Path::new(CHANGED[1]) == name {
        let old = String::from_utf8(text).unwrap();
        assert_eq!(old.matches(VERSIONS[0]).count(), 1);
        text = old.replace(VERSIONS[0], VERSIONS[1]).into_bytes();
    }
    text
}

impl Grown {
    /// Writes only the files that differ, so that cargo compiles only those.
    fn copy(&self) {
        let files = files();
        let derived = subflows_generate::all(&root()).unwrap();
        // All but those that are read as well are written again in any case.
        let is_read = |name: &Path| [ABI, "README.md"].map(Path::new).contains(&name);
        let is_derived =
            |name: &Path| !is_read(name) && derived.iter().any(|output| output.path() == name);
        for name in &files {
            let (from, to) = (root().join(name), self.root.join(name));
            let text = wanted(name);
            let is_there = fs::read(&to).is_ok_and(|old| old == text || is_derived(name));
            if !is_there {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::write(&to, text).unwrap();
                fs::set_permissions(&to, from.metadata().unwrap().permissions()).unwrap();
            }
        }
        for name in self.files(Path::new("")) {
            if !files.contains(&name) && !is_derived(&name) {
                fs::remove_file(self.root.join(name)).unwrap();
            }
        }
    }

    /// The files below a folder of the copy.
    fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                names.extend(self.files(&name))
            } else {
                names.push(name)
            }
        }
        names
    }

    /// The files that differ from the repository, in order.
    pub(crate) fn changed(&self) -> Vec<PathBuf> {
        let is_same = |name: &PathBuf| {
            fs::read(root().join(name)).ok() == fs::read(self.root.join(name)).ok()
        };
        files().into_iter().filter(|name| !is_same(name)).collect()
    }

    /// Runs a command that builds something of the copy. Other packages' crates are those of the
    /// repository, if cargo is 1.91 or newer.
    fn build(&self, command: &mut Command) {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        command.current_dir(&self.root).env_remove("SUBFLOWS_BUILT");
        command.env("CARGO_TARGET_DIR", &self.target).env("CARGO_BUILD_BUILD_DIR", built);
        // Its speed does not matter here.
        run(command.env("SUBFLOWS_PROFILE", "dev"));
    }

    /// A program of the copy.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let mut cargo = Command::new(env!("CARGO"));
        self.build(cargo.args(["build", "--quiet", "--all-features", "--bin", name]));
        self.target.join("debug").join(name)
    }

    /// The folder with the library, built and linked by the usual script.
    pub(crate) fn library(&self) -> PathBuf {
        let folder = self.target.join("libsubflows");
        self.build(Command::new(self.root.join("bindings/c/link")).arg(&folder));
        folder
    }
}
