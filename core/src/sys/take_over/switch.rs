//! The switch: the setting of a network namespace that names the path manager of new sockets.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

use crate::kernel_name::KernelName;

/// The two files of the switch, the newer one (Linux 6.15) first.
const SETTINGS: [Setting; 2] = [
    Setting {
        path: "/proc/sys/net/mptcp/path_manager",
        kernel: b"kernel\n",
        userspace: b"userspace\n",
    },
    Setting { path: "/proc/sys/net/mptcp/pm_type", kernel: b"0\n", userspace: b"1\n" },
];
/// How many times an unknown value is read again: it may have been read while it was being written.
const READS: usize = 64;

/// A file, and the two values that the library reads and writes.
struct Setting {
    path: &'static str,
    kernel: &'static [u8],
    userspace: &'static [u8],
}

/// Which path manager new sockets of the namespace get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathManagerSwitch {
    Kernel,
    Userspace,
    /// One that the library does not know, and leaves as it is.
    Other(KernelName),
}

/// The switch of one network namespace. Once it is open, its methods allocate nothing: they run in
/// a child that shares this process's memory.
pub(super) struct Switch {
    file: File,
    setting: &'static Setting,
}

impl Switch {
    /// Opens the switch of the calling thread's network namespace.
    pub(super) fn open(write: bool) -> io::Result<Switch> {
        let mut last = io::Error::from_raw_os_error(libc::ENOENT);
        for setting in &SETTINGS {
            match OpenOptions::new().read(true).write(write).open(setting.path) {
                Ok(file) => return Ok(Switch { file, setting }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    pub(super) fn read(&self) -> io::Result<PathManagerSwitch> {
        let mut last = self.read_once();
        for _ in 1..READS {
            if matches!(last, Ok(PathManagerSwitch::Kernel | PathManagerSwitch::Userspace)) {
                break;
            }
            last = self.read_once();
        }
        last
    }

    fn read_once(&self) -> io::Result<PathManagerSwitch> {
        let mut value = [0u8; 64];
        let length = self.file.read_at(&mut value, 0)?;
        let value = &value[..length];
        Ok(if value == self.setting.kernel {
            PathManagerSwitch::Kernel
        } else if value == self.setting.userspace {
            PathManagerSwitch::Userspace
        } else {
            let name = std::str::from_utf8(value.trim_ascii()).unwrap_or("?");
            PathManagerSwitch::Other(KernelName::from(name))
        })
    }

    /// Returns whether it was written; if not, `errno` contains the reason.
    pub(super) fn write_userspace(&self) -> bool {
        self.write(self.setting.userspace)
    }

    /// Returns whether it was written; if not, `errno` contains the reason.
    pub(super) fn write_kernel(&self) -> bool {
        self.write(self.setting.kernel)
    }

    fn write(&self, value: &[u8]) -> bool {
        self.file.write_at(value, 0).is_ok_and(|written| written == value.len())
    }
}

impl AsRawFd for Switch {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
