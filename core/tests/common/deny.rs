//! Sandboxes around one thread or process: filters of system calls, and capabilities that are given up.

use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Makes a system call of this thread fail with that error number, if its argument at that place has
/// that value.
pub fn deny(call: i64, (place, value): (u8, i32), errno: i32) {
    let (word, equal) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
    let is_it = SeccompCondition::new(place, word, equal, value as u32 as u64).unwrap();
    let rules = vec![SeccompRule::new(vec![is_it]).unwrap()];
    filter([(call, rules)], SeccompAction::Errno(errno as u32));
}

/// Makes every such system call of this thread fail with that error number.
pub fn deny_all(call: i64, errno: i32) {
    filter([(call, Vec::new())], SeccompAction::Errno(errno as u32));
}

/// Makes the kernel kill this process, and its children, at these system calls.
pub fn die_at(calls: &[i64]) {
    filter(calls.iter().map(|call| (*call, Vec::new())), SeccompAction::KillProcess);
}

fn filter(calls: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>, action: SeccompAction) {
    let filter: BpfProgram = SeccompFilter::new(
        calls.into_iter().collect(),
        SeccompAction::Allow,
        action,
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .and_then(TryInto::try_into)
    .unwrap();
    seccompiler::apply_filter(&filter).unwrap();
}

const CAP_NET_ADMIN: u32 = 12;

/// Gives up CAP_NET_ADMIN in this thread, which stays root.
pub fn give_up_net_admin() {
    give_up(&[CAP_NET_ADMIN]);
}

/// Gives up these capabilities in this thread.
pub fn give_up(capabilities: &[u32]) {
    // `_LINUX_CAPABILITY_VERSION_3`, and the calling thread.
    let mut header = [0x2008_0522u32, 0];
    // Effective, permitted and inheritable, of the low and the high word.
    let mut sets = [0u32; 6];
    // SAFETY: the kernel reads the header and writes six words.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    for number in capabilities {
        let word = *number as usize / 32;
        for set in &mut sets[word * 3..][..3] {
            *set &= !(1 << (number % 32));
        }
    }
    // SAFETY: the kernel reads the header and six words.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
