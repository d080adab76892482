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
    let wanted: u64 = capabilities.iter().map(|number| 1 << number).sum();
    change_capabilities(|word, high| word & !((wanted >> (32 * high)) as u32)).unwrap();
}

/// Gives up every other capability in this thread, which keeps this one when it becomes another program.
pub fn keep_net_admin_alone() -> io::Result<()> {
    change_capabilities(|_, high| if high == 0 { 1 << CAP_NET_ADMIN } else { 0 })?;
    let raise = libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong;
    // SAFETY: takes numbers only.
    match unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, CAP_NET_ADMIN as libc::c_ulong, 0, 0) }
    {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Changes the effective, the permitted and the inheritable set, of which each has a low and a high word.
fn change_capabilities(change: impl Fn(u32, usize) -> u32) -> io::Result<()> {
    // `_LINUX_CAPABILITY_VERSION_3`, and the calling thread.
    let mut header = [0x2008_0522u32, 0];
    // Effective, permitted and inheritable, of the low and the high word.
    let mut sets = [0u32; 6];
    // SAFETY: the kernel reads the header and writes six words.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    for (place, set) in sets.iter_mut().enumerate() {
        *set = change(*set, place / 3);
    }
    // SAFETY: the kernel reads the header and six words.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
    if (got, set) == (0, 0) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Restricts this thread by Landlock: it may not do what these bits of `struct landlock_ruleset_attr`
/// handle, files first, networks second. Returns false if the kernel does not have it.
pub fn landlock(handled: [u64; 2]) -> bool {
    // An older kernel does not know the second word.
    let size = if handled[1] == 0 { 8 } else { 16 };
    // SAFETY: the kernel reads the attributes.
    let rules =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, handled.as_ptr(), size, 0) };
    if rules < 0 {
        return false;
    }
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: takes numbers only.
    unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) == 0 }
}
