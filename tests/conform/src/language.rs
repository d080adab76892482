//! The languages: how their drivers are built and started.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::driver::Driver;

/// A language whose driver is built.
#[derive(Clone, Debug)]
pub struct Language {
    /// Its name, as on the command line.
    pub name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Other files that it needs, by the environment variables that name them.
    helpers: Vec<(&'static str, PathBuf)>,
    /// Files and folders that it expects in its own folder.
    libraries: Vec<PathBuf>,
    /// The folder in which its files were gathered. It lives as long as the language.
    _gathered: Option<Arc<TempDir>>,
    /// Whether it changes its user itself, because other users cannot execute its interpreter.
    changes_user: bool,
    /// Drivers that have played a variant, and wait for another one.
    idle: Arc<Mutex<Vec<Driver>>>,
    /// The command, if its verb `broker` acts for a client without privileges.
    pub(crate) broker: Option<PathBuf>,
}

/// Builds the driver of a language.
type Build = fn(&Path) -> Result<Language, String>;

/// Every language, in the order in which they are played.
pub const LANGUAGES: &[(&str, Build)] = &[
    ("rust", rust),
    ("c", c),
    ("command", command),
    ("python", python),
    ("ruby", ruby),
    ("java", java),
];

impl Language {
    /// Builds the driver of the language with that name.
    pub fn build(name: &str) -> Result<Language, String> {
        let known = LANGUAGES.iter().find(|(known, _)| *known == name);
        let (_, build) = known.ok_or_else(|| {
            let names: Vec<_> = LANGUAGES.iter().map(|(name, _)| *name).collect();
            format!("unknown language {name}: write one of {}", names.join(", "))
        })?;
        Ok(build(&root())?.under())
    }

    fn new(name: &'static str, program: PathBuf) -> Language {
        let (arguments, helpers, libraries) = (Vec::new(), Vec::new(), Vec::new());
        let (_gathered, changes_user, idle, broker) = (None, false, Arc::default(), None);
        Language {
            name,
            program,
            arguments,
            helpers,
            libraries,
            _gathered,
            changes_user,
            idle,
            broker,
        }
    }

    /// The same driver, whose client has no privileges and uses a broker of this command.
    pub fn by_broker(self, command: PathBuf) -> Language {
        Language { broker: Some(command), ..self }
    }

    /// The same driver, run by another program, such as valgrind: `CONFORM_UNDER='valgrind -q'`.
    fn under(mut self) -> Language {
        let under = std::env::var("CONFORM_UNDER").unwrap_or_default();
        let mut words = under.split_whitespace();
        if let Some(program) = words.next() {
            let inner = std::mem::replace(&mut self.program, program.into()).into();
            let before = words.map(OsString::from).chain([inner]);
            self.arguments.splice(..0, before);
        }
        self
    }

    /// Whether that program does not support the child process that takes control.
    pub(crate) fn cannot_take_control(&self) -> bool {
        std::env::var_os("CONFORM_UNDER").is_some()
    }

    /// The driver.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.envs(self.helpers.iter().map(|(variable, path)| (variable, path)));
        command
    }

    /// The drivers that wait for another variant.
    pub(crate) fn idle(&self) -> MutexGuard<'_, Vec<Driver>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver as another user, who can execute the files in this folder.
    pub fn command_as(&self, user: u32, folder: &TempDir) -> std::io::Result<Command> {
        if self.changes_user {
            let mut command = self.command();
            command.args(["--as", &user.to_string()]);
            return Ok(command);
        }
        let mut command = self.copy(folder)?.command();
        command.uid(user).gid(user);
        Ok(command)
    }

    /// A copy of the driver in a folder that every user can read.
    fn copy(&self, folder: &TempDir) -> std::io::Result<Language> {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        let copy = |from: &PathBuf| {
            let to = folder.path().join(from.file_name().unwrap_or_default());
            copy_all(from, &to)?;
            Ok::<_, std::io::Error>(to)
        };
        let mut copied = self.clone();
        copied.program = copy(&self.program)?;
        for path in copied.helpers.iter_mut().map(|(_, path)| path).chain(&mut copied.libraries) {
            *path = copy(path)?;
        }
        Ok(copied)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rust(root: &Path) -> Result<Language, String> {
    Ok(Language::new("rust", built(root, "subflows-driver-rust", "subflows-driver-rust")?))
}

fn command(root: &Path) -> Result<Language, String> {
    let helpers = vec![("SUBFLOWS", built(root, "subflows-cli", "subflows")?)];
    let program = built(root, "subflows-driver-command", "subflows-driver-command")?;
    Ok(Language { helpers, ..Language::new("command", program) })
}

/// Linked to the C library as it is installed.
fn c(root: &Path) -> Result<Language, String> {
    let folder = root.join("tests/drivers/c");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = files.flatten().map(|file| file.path());
    let sources = files.filter(|path| path.extension().is_some_and(|ending| ending == "c"));
    let built = std::env::current_exe().map_err(|error| error.to_string())?;
    let build = built.with_file_name("driver-c");
    output(Command::new(root.join("bindings/c/link")).arg(&build))?;
    let program = build.join("subflows-driver-c");
    // Elsewhere first: another run may be executing the old one, which nobody may then write.
    let linked = tempfile::tempdir_in(&build).map_err(|error| error.to_string())?;
    let new = linked.path().join("subflows-driver-c");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
    // Sanitizers do not work together with CONFORM_UNDER, such as valgrind.
    if std::env::var_os("CONFORM_UNDER").is_none() {
        compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    compiler.args(["-O1", "-g"]).arg("-I").arg(root.join("include")).arg("-o").arg(&new);
    compiler.args(sources).arg("-L").arg(&build).args(["-lsubflows", "-lpthread"]);
    compiler.arg("-Wl,-rpath,$ORIGIN");
    output(&mut compiler)?;
    fs::rename(&new, &program).map_err(|error| format!("{}: {error}", program.display()))?;
    let libraries = vec![build.join("libsubflows.so.0")];
    Ok(Language { libraries, ..Language::new("c", program) })
}

/// Run by the interpreter that `PYTHON` names, or by the first in `PATH`.
fn python(root: &Path) -> Result<Language, String> {
    let driver = root.join("tests/drivers/python/driver.py");
    Ok(Language {
        // The tree stays free of compiled modules.
        arguments: vec!["-B".into(), driver.into()],
        helpers: vec![("PYTHONPATH", crate::python_package::module(root)?)],
        changes_user: true,
        ..Language::new("python", crate::python_package::interpreter()?)
    })
}

/// The gem in a folder with the driver.
fn ruby(root: &Path) -> Result<Language, String> {
    let native = built(root, "subflows-ruby", "libsubflows_native.so")?;
    let gathered = own_folder("driver-ruby-", &native).map_err(|error| error.to_string())?;
    let folder = gathered.path().join("driver");
    let library = folder.join("lib/subflows/subflows_native.so");
    let driver = root.join("tests/drivers/ruby");
    let gather = || {
        copy_all(&driver, &folder)?;
        copy_all(&root.join("bindings/ruby/lib"), &folder.join("lib"))?;
        copy_all(&native, &library)
    };
    gather().map_err(|error| format!("{}: {error}", folder.display()))?;
    let libraries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let libraries = libraries.flatten().map(|entry| entry.path()).collect();
    let program = folder.join("driver.rb");
    Ok(Language {
        libraries,
        _gathered: Some(Arc::new(gathered)),
        ..Language::new("ruby", program)
    })
}

/// The classes in a folder with the native part.
fn java(root: &Path) -> Result<Language, String> {
    let native = built(root, "subflows-java", "libsubflows_java.so")?;
    let gathered = own_folder("driver-java-", &native).map_err(|error| error.to_string())?;
    let folder = gathered.path();
    let (classes, library) = (folder.join("classes"), folder.join("libsubflows_java.so"));
    let program = folder.join("driver");
    let driver = root.join("tests/drivers/java");
    let gather = || {
        fs::create_dir_all(&classes)?;
        copy_all(&driver.join("driver"), &program)?;
        copy_all(&native, &library)?;
        java_launcher(&driver, &folder.join("launcher")).map_err(std::io::Error::other)
    };
    gather().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut compiler = Command::new("javac");
    compiler
        .args(["--release", "17", "-parameters", "-Xlint:all,-serial", "-Werror", "-d"])
        .arg(&classes);
    for folder in [driver, root.join("bindings/java/src/main/java/org/subflows")] {
        let files = fs::read_dir(&folder);
        let files = files.map_err(|error| format!("{}: {error}", folder.display()))?;
        let files = files.flatten().map(|file| file.path());
        compiler.args(files.filter(|path| path.extension().is_some_and(|ending| ending == "java")));
    }
    output(&mut compiler)?;
    // If other users cannot read the JVM, it is copied for them as a whole.
    let another = std::env::var_os("JAVA").and_then(|java| fs::canonicalize(java).ok());
    let home = another.as_deref().and_then(|java| java.parent()?.parent());
    let unreadable = home.filter(|home| !home.ancestors().all(may_be_searched));
    let helpers = unreadable.map(|home| ("JVM", home.to_owned())).into_iter().collect();
    let libraries = vec![classes, library, folder.join("launcher")];
    let _gathered = Some(Arc::new(gathered));
    Ok(Language { helpers, libraries, _gathered, ..Language::new("java", program) })
}

/// With the header of the JDK whose compiler is the first in `PATH`.
fn java_launcher(driver: &Path, program: &Path) -> Result<(), String> {
    let found = output(Command::new("sh").args(["-c", "readlink -f \"$(command -v javac)\""]))?;
    let home = Path::new(found.trim_end()).ancestors().nth(2).unwrap_or(Path::new("/"));
    let include = home.join("include");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"]).arg(program);
    compiler.arg("-I").arg(&include).arg("-I").arg(include.join("linux"));
    output(compiler.arg(driver.join("launcher.c")).arg("-ldl")).map(drop)
}

/// A new folder next to a built file. Every user can read it, and concurrent runs do not share it.
fn own_folder(prefix: &str, built: &Path) -> std::io::Result<TempDir> {
    let parent = built.parent().unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Whether every user can search a folder.
fn may_be_searched(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0)
}

/// Copies a file or a folder, so that every user can read and execute it.
///
/// Another process copies it: a file that this process has open for writing is also open in a child
/// that another thread starts at that moment, and a file that is open for writing cannot be
/// executed.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--dereference", "--no-target-directory"]).args([from, to]);
    let mut permit = Command::new("chmod");
    permit.args(["--recursive", "755"]).arg(to);
    for command in [&mut copy, &mut permit] {
        output(command).map_err(std::io::Error::other)?;
    }
    Ok(())
}

/// Builds a package in the profile of this program, and returns the path of one of its files.
///
/// # Errors
/// The build's.
pub fn built(root: &Path, package: &str, file: &str) -> Result<PathBuf, String> {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let mut build = Command::new(root.join("bindings/built"));
    let path = output(build.args([package, file]).env("SUBFLOWS_PROFILE", profile))?;
    Ok(PathBuf::from(path.trim_end()))
}

pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Otherwise `Text file busy`, if another thread starts a child while the copy is written.
    #[test]
    fn copies_are_executed_while_other_threads_start_children() {
        let language = Language::new("true", "/bin/true".into());
        let of_many = || {
            for _ in 0..100 {
                let folder = TempDir::new().unwrap();
                let mut command = language.copy(&folder).unwrap().command();
                assert!(command.status().unwrap().success());
            }
        };
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(of_many))));
    }
}
