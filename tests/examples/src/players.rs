//! The languages: how each one's examples are built and started.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use subflows_lab::Namespace;

use crate::root;
use crate::table::{self, Example};

/// One way to run the examples of a language.
pub(crate) struct Player {
    pub(crate) name: &'static str,
    pub(crate) examples: &'static [Example],
    pub(crate) address: Address,
    /// What an example that cannot connect prints on standard error.
    pub(crate) complaint: fn(&str) -> bool,
    /// The command that runs an example, without its arguments.
    command: Start,
}

type Start = Box<dyn Fn(&Namespace, &str) -> Command + Send + Sync>;

/// How the programs of a language take an address.
#[derive(Clone, Copy)]
pub(crate) enum Address {
    /// As one argument, HOST:PORT.
    Together,
    /// As two arguments.
    Apart,
}

impl Player {
    /// Runs an example in a namespace, with an address as its first argument or arguments.
    pub(crate) fn command(&self, namespace: &Namespace, file: &str, to: SocketAddr) -> Command {
        let mut command = self.program(namespace, file);
        match self.address {
            Address::Together => command.arg(to.to_string()),
            Address::Apart => command.args([to.ip().to_string(), to.port().to_string()]),
        };
        command
    }

    /// Runs an example in a namespace.
    pub(crate) fn program(&self, namespace: &Namespace, file: &str) -> Command {
        (self.command)(namespace, file)
    }
}

type Players = Result<Vec<Player>, String>;

/// Builds what the arguments of this program name.
pub(crate) fn players(arguments: &[String]) -> Players {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => {
            let all: Vec<Players> = vec![rust(), c(), python()];
            Ok(all.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        ["rust"] => rust(),
        ["c"] => c(),
        ["python"] => python(),
        ["ruby", ruby_program] => ruby(ruby_program),
        ["java", java_program, jar] => java(java_program, jar),
        _ => Err("usage: cargo play [rust | c | python | ruby RUBY | java JAVA JAR]".to_owned()),
    }
}

fn rust() -> Players {
    let program = |example: &Example| {
        let name = example.file.trim_end_matches(".rs");
        Ok((example.file, subflows_conform::language::built(&root(), "subflows-examples", name)?))
    };
    let programs = table::RUST.iter().map(program).collect::<Result<HashMap<_, _>, String>>()?;
    let command = move |namespace: &Namespace, file: &str| namespace.command(&programs[file]);
    Ok(vec![Player {
        name: "rust",
        examples: table::RUST,
        address: Address::Together,
        complaint: |text| text.starts_with("Error: ") && text.contains("connect"),
        command: Box::new(command),
    }])
}

/// In plain, with the address sanitizer, and under valgrind. If either reports an error, the
/// program exits with 9.
fn c() -> Players {
    let library = beside("examples-c");
    run(Command::new(root().join("bindings/c/link")).arg(&library))?;
    let folder = |sanitizer: bool| library.join(if sanitizer { "sanitized" } else { "plain" });
    let template = read(&root().join("bindings/c/subflows.pc.in"))?;
    let description = template
        .replace("@PREFIX@", &root().canonicalize().map_err(text)?.display().to_string())
        .replace("@LIBDIR@", &library.display().to_string())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    for (is_sanitized, flags) in [(false, "-g"), (true, "-g -fsanitize=address")] {
        let folder = folder(is_sanitized);
        fs::create_dir_all(&folder).map_err(text)?;
        fs::write(folder.join("subflows.pc"), &description).map_err(text)?;
        for example in table::C_IN_CONTROL {
            compile(example.file, &folder, flags)?;
        }
    }
    let player = |name, examples, is_sanitized, words: &'static [&'static str]| {
        let (folder, library) = (folder(is_sanitized), library.clone());
        let command = move |namespace: &Namespace, file: &str| {
            let program = folder.join(format!("{file}.out"));
            let mut command = match words {
                [] => namespace.command(program),
                [first, rest @ ..] => {
                    let mut command = namespace.command(first);
                    command.args(rest).arg(program);
                    // Valgrind does not see that the kernel fills MPTCP_FULL_INFO through pointers.
                    command.env("SUBFLOWS_WITHOUT", "full_info");
                    command
                }
            };
            command.env("LD_LIBRARY_PATH", &library).env("ASAN_OPTIONS", "exitcode=9");
            command
        };
        Player {
            name,
            examples,
            address: Address::Apart,
            complaint: |text| text.starts_with("connect: ") && text.lines().count() >= 2,
            command: Box::new(command),
        }
    };
    let valgrind = &["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full"];
    Ok(vec![
        player("c", table::C_IN_CONTROL, false, &[]),
        player("c with the address sanitizer", table::C_IN_CONTROL, true, &[]),
        player("c under valgrind", table::C_WITHOUT_CONTROL, false, valgrind),
    ])
}

/// Runs the command in the head of a source, as its reader would, with all warnings as errors.
fn compile(name: &str, folder: &Path, flags: &str) -> Result<(), String> {
    let source = read(&root().join("examples/c").join(name))?;
    fs::write(folder.join(name), &source).map_err(text)?;
    let line = source.lines().find(|line| line.contains("pkg-config")).unwrap_or_default();
    let line = line.trim_start_matches([' ', '*', '/']);
    let (stem, _) = name.split_once('.').unwrap_or_default();
    if !line.contains(&format!(" {name} -o {stem} ")) {
        return Err(format!("the head of {name} has no command that compiles it"));
    }
    // paths.c and paths.cpp would make the same program.
    let line = line.replace(&format!("-o {stem} "), &format!("-o {name}.out "));
    let strict = format!("{line} -Wall -Wextra -Werror -pedantic {flags}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &strict]).current_dir(folder).env("PKG_CONFIG_PATH", folder);
    run(&mut shell).map(drop)
}

/// With the package as it is built for tests.
fn python() -> Players {
    let interpreter = subflows_conform::python_package::interpreter()?;
    let module = subflows_conform::python_package::module(&root())?;
    let command = move |namespace: &Namespace, file: &str| {
        let mut command = namespace.command(&interpreter);
        // No compiled modules in the source tree.
        command.arg("-B").env("PYTHONPATH", &module);
        command.arg(root().join("examples/python").join(file));
        command
    };
    Ok(vec![Player {
        name: "python",
        examples: table::PYTHON,
        address: Address::Apart,
        complaint: |text| text.starts_with("connect: ") && text.lines().count() == 1,
        command: Box::new(command),
    }])
}

/// With the gem that is installed in GEM_HOME.
fn ruby(program: &str) -> Players {
    let program = program.to_owned();
    let command = move |namespace: &Namespace, file: &str| {
        let mut command = namespace.command(&program);
        command.arg(root().join("examples/ruby").join(file));
        command
    };
    Ok(vec![Player {
        name: "ruby",
        examples: table::RUBY,
        address: Address::Together,
        complaint: |text| text.contains("connect: "),
        command: Box::new(command),
    }])
}

fn java(program: &str, jar: &str) -> Players {
    let classes = beside("examples-java");
    let mut compiler = Command::new("javac");
    compiler.args(["--release", "17", "-Xlint:all", "-Werror", "-cp", jar, "-d"]).arg(&classes);
    let source = |example: &Example| root().join("examples/java").join(example.file);
    run(compiler.args(table::JAVA.iter().map(source)))?;
    let (program, jar) = (program.to_owned(), jar.to_owned());
    let command = move |namespace: &Namespace, file: &str| {
        let mut command = namespace.command(&program);
        // Cargo's LD_LIBRARY_PATH would select another native part than the jar's.
        command.env_remove("LD_LIBRARY_PATH");
        // Without the flag, Java 24 and newer warn about native code.
        command.arg("--enable-native-access=ALL-UNNAMED");
        if file == "HttpDownload.java" {
            command.arg(format!("-javaagent:{jar}=via=second"));
        }
        command.args(["-cp", &format!("{jar}:{}", classes.display())]);
        command.arg(file.trim_end_matches(".java"));
        command
    };
    Ok(vec![Player {
        name: "java",
        examples: table::JAVA,
        address: Address::Apart,
        complaint: |text| text.contains("connect: "),
        command: Box::new(command),
    }])
}

/// A file or folder in the folder of this program.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name(name)
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a command that must succeed, in the root of the repository unless it has a folder.
fn run(command: &mut Command) -> Result<Output, String> {
    if command.get_current_dir().is_none() {
        command.current_dir(root());
    }
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&printed)))
}
