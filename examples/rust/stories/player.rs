//! Who tells the stories: the programs of examples/rust/, or those of another language's folder.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use subflows_lab::Namespace;

/// A language: how its programs are started, and what it tells in its own way.
pub(crate) trait Player {
    /// The program of a story, given the address to connect to, or to listen at.
    fn program(&self, namespace: &Namespace, story: &str, address: SocketAddr) -> Command;

    /// The download by what the language's users have for it, which takes this interface as well.
    fn usual_download(&self, namespace: &Namespace, from: SocketAddr, interface: &str) -> Download;

    /// Of what was downloaded, as its programs print it.
    fn checksum(&self, data: &[u8]) -> String {
        format!("{:08x}", crc32fast::hash(data))
    }
}

/// A program that downloads and opens a second path.
pub(crate) struct Download {
    pub(crate) command: Command,
    /// It asks, and expects an answer of HTTP; others take what comes.
    pub(crate) is_http: bool,
    /// It opens the second path by its own code, and says so.
    pub(crate) says_opened: bool,
}

/// The one that is chosen by STORIES_RUBY=ruby or STORIES_JAVA=java: an interpreter.
pub(crate) fn player() -> Box<dyn Player> {
    if let Some(interpreter) = env::var_os("STORIES_RUBY") {
        return Box::new(Ruby { interpreter });
    }
    if let Some(jvm) = env::var_os("STORIES_JAVA") {
        let classes = env::var("STORIES_CLASSES").expect("STORIES_CLASSES=subflows.jar:examples");
        return Box::new(Java { jvm, classes });
    }
    Box::new(Rust)
}

struct Rust;

impl Player for Rust {
    fn program(&self, namespace: &Namespace, story: &str, address: SocketAddr) -> Command {
        let mut command = namespace.command(match story {
            "list_and_open" => env!("CARGO_BIN_EXE_list_and_open"),
            "download" => env!("CARGO_BIN_EXE_download"),
            "download_tokio" => env!("CARGO_BIN_EXE_download_tokio"),
            "server_report" => env!("CARGO_BIN_EXE_server_report"),
            "large_answers" => env!("CARGO_BIN_EXE_large_answers"),
            "fallback_report" => env!("CARGO_BIN_EXE_fallback_report"),
            _ => panic!("there is no example {story}.rs"),
        });
        command.arg(address.to_string());
        command
    }

    fn usual_download(&self, namespace: &Namespace, from: SocketAddr, interface: &str) -> Download {
        let mut command = self.program(namespace, "download_tokio", from);
        command.arg(interface);
        Download { command, is_http: false, says_opened: true }
    }

    /// As examples/rust/download.rs has it.
    fn checksum(&self, data: &[u8]) -> String {
        let fold = |sum: u64, byte: &u8| sum.rotate_left(5).wrapping_add(u64::from(*byte));
        format!("{:016x}", data.iter().fold(0, fold))
    }
}

struct Ruby {
    interpreter: OsString,
}

impl Ruby {
    fn script(&self, namespace: &Namespace, name: &str) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ruby");
        let mut command = namespace.command(&self.interpreter);
        command.arg(folder.join(name).with_extension("rb"));
        command
    }
}

impl Player for Ruby {
    fn program(&self, namespace: &Namespace, story: &str, address: SocketAddr) -> Command {
        let mut command = self.script(namespace, story);
        command.arg(address.to_string());
        command
    }

    fn usual_download(&self, namespace: &Namespace, from: SocketAddr, interface: &str) -> Download {
        let mut command = self.script(namespace, "download_http");
        command.arg(format!("http://{from}/")).arg(interface);
        Download { command, is_http: true, says_opened: true }
    }
}

struct Java {
    jvm: OsString,
    /// The jar of the binding, and the folder of the compiled examples.
    classes: String,
}

impl Java {
    /// Without the flag, Java 24 and newer warn of native code. Cargo's path to libraries would lead
    /// to another native part than the jar's.
    fn command(&self, namespace: &Namespace) -> Command {
        let mut command = namespace.command(&self.jvm);
        command.env_remove("LD_LIBRARY_PATH");
        command.arg("--enable-native-access=ALL-UNNAMED").arg("-cp").arg(&self.classes);
        command
    }
}

impl Player for Java {
    /// Takes host and port apart, as `InetSocketAddress` does.
    fn program(&self, namespace: &Namespace, story: &str, address: SocketAddr) -> Command {
        let words = story.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
        let mut command = self.command(namespace);
        command.arg(words.collect::<String>());
        command.arg(address.ip().to_string()).arg(address.port().to_string());
        command
    }

    /// By the agent, in a program that knows of nothing.
    fn usual_download(&self, namespace: &Namespace, from: SocketAddr, interface: &str) -> Download {
        let jar = self.classes.split(':').next().unwrap_or_default();
        let mut command = self.command(namespace);
        command.arg(format!("-javaagent:{jar}=via={interface}"));
        command.arg("HttpDownload").arg(format!("http://{from}/"));
        Download { command, is_http: true, says_opened: false }
    }
}
