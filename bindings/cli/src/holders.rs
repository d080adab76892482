//! Which processes have a socket, other than this one.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process;

/// A socket that this process keeps for another one.
#[derive(Debug)]
pub(crate) struct Holders {
    /// What /proc shows for it.
    name: String,
    /// The process that passed it, which usually still has it.
    usual: Option<i32>,
}

impl Holders {
    pub(crate) fn of(sock: &impl AsFd, usual: Option<i32>) -> Holders {
        let inode = rustix::fs::fstat(sock).map_or(0, |stat| stat.st_ino);
        Holders { name: format!("socket:[{inode}]"), usual }
    }

    /// Reports whether another process has the socket, as far as this one may see.
    pub(crate) fn has_any(&mut self) -> bool {
        if self
            .usual
            .is_some_and(|process| self.is_held_by(&Path::new("/proc").join(process.to_string())))
        {
            return true;
        }
        let this = process::id().to_string();
        let is_process =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_digit()) && name != this;
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut processes =
            processes.filter(|entry| entry.file_name().to_str().is_some_and(is_process));
        let found = processes.find(|entry| self.is_held_by(&entry.path()));
        let number = found.as_ref().and_then(|entry| entry.file_name().to_str()?.parse().ok());
        self.usual = number.or(self.usual);
        found.is_some()
    }

    fn is_held_by(&self, process: &Path) -> bool {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.any(|target| target.as_os_str() == self.name.as_str())
    }
}
