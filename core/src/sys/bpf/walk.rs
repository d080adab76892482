//! Reading an iterator, with a deadline.
//!
//! An iterator locks every socket that it passes, and no signal ends the wait for a lock that another program
//! holds. So a child process reads: it shares memory and descriptors with this one, as a thread does, but is
//! none of its threads. At the deadline the child is left alone. It ends when the other program releases the
//! lock, and the next call of any thread then frees its stack.
//!
//! The child uses the thread-local storage of the thread that made it. It therefore calls nothing of the C
//! library, not even to read, because that would write `errno`.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicIsize, AtomicPtr, Ordering};
use std::time::Instant;

use super::Failure;
use super::signals::without_signals;
use crate::sys::poll;
use crate::sys::valgrind;

/// The most walks of this process that may wait for locks of other programs.
const MAX_ABANDONED: usize = 16;
/// In units of 16 bytes, to which a stack is aligned.
const STACK: usize = 1024;

static ABANDONED: [AtomicPtr<Walker>; MAX_ABANDONED] =
    [const { AtomicPtr::new(ptr::null_mut()) }; MAX_ABANDONED];

/// A child process, and the memory that it uses. Shared by both processes until the child has ended.
struct Walker {
    iterator: ManuallyDrop<OwnedFd>,
    /// What read(2) returned, or a negative error number.
    result: AtomicIsize,
    child: AtomicI32,
    _stack: Vec<u128>,
}

/// Walks until the program stops the walk, or to the end. Returns the iterator if the walk was stopped: the
/// kernel does that too, after a million sockets, and the next walk then goes on from there.
pub(super) fn walk(iterator: OwnedFd, deadline: Instant) -> Result<Option<OwnedFd>, Failure> {
    if !has_room() {
        return Err(Failure::Stuck);
    }
    // Valgrind ends a program that makes such a child.
    if !raw::CAN_READ || valgrind::is_present() {
        let result = read_here(&iterator);
        return outcome(result, iterator);
    }
    let (walker, pidfd) = start(iterator).map_err(Failure::Child)?;
    loop {
        match poll::until(pidfd.as_fd(), libc::POLLIN, Some(deadline)) {
            Ok(0) => {
                abandon(walker);
                return Err(Failure::TimedOut);
            }
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The child goes on, and needs its memory.
            Err(error) => {
                abandon(walker);
                return Err(Failure::Child(error));
            }
        }
    }
    reap(walker, 0);
    let result = walker.result.load(Ordering::Acquire);
    // SAFETY: the child has ended, and the walker is in no place.
    let walker = unsafe { free(walker) };
    outcome(result, ManuallyDrop::into_inner(walker.iterator))
}

/// A walk is stopped with EAGAIN. Otherwise the whole table has been walked.
fn outcome(result: isize, iterator: OwnedFd) -> Result<Option<OwnedFd>, Failure> {
    match result {
        0.. => Ok(None),
        error if error == -(libc::EAGAIN as isize) => Ok(Some(iterator)),
        error => Err(Failure::Walk(io::Error::from_raw_os_error(-error as i32))),
    }
}

fn read_here(iterator: &OwnedFd) -> isize {
    let mut byte = 0u8;
    // SAFETY: the pointer and the length describe `byte`.
    match unsafe { libc::read(iterator.as_raw_fd(), (&raw mut byte).cast(), 1) } {
        -1 => -(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) as isize),
        length => length,
    }
}

/// Starts the child, with every signal blocked. Its exit sends no signal, so that no SIGCHLD handler of the
/// program runs and no `wait` of the program returns it.
fn start(iterator: OwnedFd) -> io::Result<(&'static Walker, OwnedFd)> {
    let mut stack = vec![0u128; STACK];
    let top = stack.as_mut_ptr_range().end;
    let walker: &'static Walker = Box::leak(Box::new(Walker {
        iterator: ManuallyDrop::new(iterator),
        result: AtomicIsize::new(0),
        child: AtomicI32::new(0),
        _stack: stack,
    }));
    let argument = ptr::from_ref(walker).cast_mut().cast();
    let mut pidfd = -1;
    let pointer: *mut libc::c_int = &mut pidfd;
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_PIDFD;
    let child = without_signals(|| {
        // SAFETY: `top` is the 16-byte aligned end of a stack that is freed only after the child has ended, as
        // is the walker. The child makes two system calls and touches no other memory. The kernel writes the
        // descriptor to `pidfd` before the call returns.
        match unsafe { libc::clone(child_main, top.cast(), flags, argument, pointer) } {
            -1 => Err(io::Error::last_os_error()),
            child => Ok(child),
        }
    });
    let child = child.inspect_err(|_| {
        // SAFETY: there is no child, and the walker is in no place.
        let walker = unsafe { free(walker) };
        drop(ManuallyDrop::into_inner(walker.iterator));
    })?;
    walker.child.store(child, Ordering::Relaxed);
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok((walker, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

extern "C" fn child_main(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `argument` is the walker of `start`, which is freed only after this process has ended.
    let walker = unsafe { &*argument.cast::<Walker>() };
    let mut byte = 0u8;
    // SAFETY: the pointer and the length describe `byte`.
    let read = unsafe { raw::read(walker.iterator.as_raw_fd(), &raw mut byte, 1) };
    walker.result.store(read, Ordering::Release);
    0
}

/// Waits for the child. Returns whether it has ended, or is not a child of this process.
fn reap(walker: &Walker, flags: i32) -> bool {
    let child = walker.child.load(Ordering::Relaxed);
    // SAFETY: waitpid takes numbers; the status is not asked for.
    unsafe { libc::waitpid(child, ptr::null_mut(), libc::__WCLONE | flags) != 0 }
}

/// # Safety
/// The child has ended, and nothing else uses the walker.
unsafe fn free(walker: &'static Walker) -> Box<Walker> {
    // SAFETY: the walker was made of a box in `start`; the caller vouches that it is the only user.
    unsafe { Box::from_raw(ptr::from_ref(walker).cast_mut()) }
}

/// Frees the walkers that have ended. Returns whether another one may be abandoned.
fn has_room() -> bool {
    let mut has_room = false;
    for place in &ABANDONED {
        // SAFETY: what is not null in a place was put there by `abandon`. The swap has removed it, so that
        // no other thread uses it.
        let walker = unsafe { place.swap(ptr::null_mut(), Ordering::Acquire).as_ref() };
        match walker {
            Some(walker) if !reap(walker, libc::WNOHANG) => abandon(walker),
            Some(walker) => {
                // SAFETY: the child has ended, or is that of the parent of this process, which shares no
                // memory with it; and the walker is in no place.
                let walker = unsafe { free(walker) };
                // The program may have closed the descriptor, and its number may belong to another file.
                if is_iterator(&walker.iterator) {
                    drop(ManuallyDrop::into_inner(walker.iterator));
                }
                has_room = true;
            }
            None => has_room = true,
        }
    }
    has_room
}

fn is_iterator(fd: &OwnedFd) -> bool {
    let target = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    target.is_ok_and(|target| target.as_os_str() == "anon_inode:bpf_iter")
}

/// Leaves a child alone. Its memory is freed once it has ended.
fn abandon(walker: &'static Walker) {
    let walker = ptr::from_ref(walker).cast_mut();
    // If other threads have just taken every place, this memory is never freed.
    let _ = ABANDONED.iter().any(|place| {
        let (put, taken) = (Ordering::Release, Ordering::Relaxed);
        place.compare_exchange(ptr::null_mut(), walker, put, taken).is_ok()
    });
}

/// read(2) without the C library.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod raw {
    pub(super) const CAN_READ: bool = true;

    /// # Safety
    /// The kernel has to be allowed to write `length` bytes to `buffer`.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn read(fd: i32, buffer: *mut u8, length: usize) -> isize {
        let result;
        // SAFETY: the system call writes only to the buffer, and changes only these registers.
        unsafe {
            std::arch::asm!(
                "syscall",
                inlateout("rax") libc::SYS_read as isize => result,
                in("rdi") fd as isize, in("rsi") buffer, in("rdx") length,
                lateout("rcx") _, lateout("r11") _,
                options(nostack),
            );
        }
        result
    }

    /// # Safety
    /// The kernel has to be allowed to write `length` bytes to `buffer`.
    #[cfg(target_arch = "aarch64")]
    pub(super) unsafe fn read(fd: i32, buffer: *mut u8, length: usize) -> isize {
        let result;
        // SAFETY: the system call writes only to the buffer, and changes only the result.
        unsafe {
            std::arch::asm!(
                "svc 0",
                in("x8") libc::SYS_read,
                inlateout("x0") fd as isize => result,
                in("x1") buffer, in("x2") length,
                options(nostack),
            );
        }
        result
    }
}

/// On other processors the calling thread walks, and the deadline does not hold.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod raw {
    pub(super) const CAN_READ: bool = false;

    /// # Safety
    /// Not called.
    pub(super) unsafe fn read(_fd: i32, _buffer: *mut u8, _length: usize) -> isize {
        0
    }
}
