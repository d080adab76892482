//! A broker in the client's namespace, for drivers without privileges (`cargo conform --broker`).

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use subflows_lab::Namespace;
use tempfile::TempDir;

use crate::judge;
use crate::language::{built, root};
use crate::step_error::Result;

/// Everyone may do everything: what the policy forbids is tested with the broker.
const POLICY: &str = "[[allow]]\n[limits]\nsubflows = 1000\n";

/// Builds the command, whose verb `broker` is the service.
///
/// # Errors
/// The build's.
pub fn build() -> std::result::Result<PathBuf, String> {
    built(&root(), "subflows-cli", "subflows")
}

/// A broker that runs. Dropping it ends the process.
#[derive(Debug)]
pub struct Broker {
    process: Child,
    folder: TempDir,
}

impl Broker {
    /// Starts a broker in a namespace, and waits until it listens.
    pub fn start(command: &Path, namespace: &Namespace) -> Result<Broker> {
        let folder = TempDir::new()?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        let (policy, socket) = (folder.path().join("policy.toml"), folder.path().join("socket"));
        fs::write(&policy, POLICY)?;
        let log = File::create(folder.path().join("log"))?;
        let entered = namespace.enter()?;
        let process = Command::new(command)
            .arg("broker")
            .args([Path::new("--policy"), &policy, Path::new("--socket"), &socket])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()?;
        drop(entered);
        let broker = Broker { process, folder };
        judge::soon(|| {
            let is_there = fs::metadata(broker.socket());
            let is_ready = is_there.is_ok_and(|file| file.permissions().mode() & 0o777 == 0o666);
            Ok((!is_ready).then(|| format!("the broker does not listen: {}", broker.log())))
        })?;
        Ok(broker)
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it has written.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both calls fail only if the process has already been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
