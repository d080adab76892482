//! What this kernel has, for tests that would otherwise assume a new one.

use std::path::Path;

/// The setting that chooses the path manager of new sockets, by the name that this kernel has for it.
#[derive(Clone, Copy, Debug)]
pub struct PathManagerSetting {
    /// Its file, in the namespace of the calling thread.
    pub file: &'static str,
    /// What it contains for the kernel's path manager.
    pub kernel: &'static str,
    /// What it contains for the userspace path manager.
    pub userspace: &'static str,
}

impl PathManagerSetting {
    /// Returns the value for `kernel` or `userspace`, and any other value as it is.
    pub fn value<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "kernel" => self.kernel,
            "userspace" => self.userspace,
            other => other,
        }
    }

    /// Returns `kernel` or `userspace` for their values, and any other value as it is.
    pub fn name<'a>(&self, value: &'a str) -> &'a str {
        match value.trim_end() {
            value if value == self.kernel => "kernel",
            value if value == self.userspace => "userspace",
            other => other,
        }
    }
}

/// Returns how this kernel calls the setting: `path_manager` since Linux 6.15, `pm_type` before.
pub fn path_manager_setting() -> PathManagerSetting {
    let newer = "/proc/sys/net/mptcp/path_manager";
    if Path::new(newer).exists() {
        PathManagerSetting { file: newer, kernel: "kernel", userspace: "userspace" }
    } else {
        PathManagerSetting { file: "/proc/sys/net/mptcp/pm_type", kernel: "0", userspace: "1" }
    }
}

/// Whether this kernel has a setting, by its name with dots.
pub fn has_sysctl(name: &str) -> bool {
    Path::new("/proc/sys").join(name.replace('.', "/")).exists()
}

/// Whether this kernel leaves the interface of a new subflow to the routing table, which then needs rules
/// by which the source address decides.
pub fn ignores_interfaces() -> bool {
    is_before(6, 12)
}

/// Whether this kernel is older than that release, for what shows in no other way.
pub fn is_before(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    let mut number = || numbers.next().flatten().unwrap_or(u32::MAX);
    (number(), number()) < (major, minor)
}
