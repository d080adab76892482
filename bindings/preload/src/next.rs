//! The functions that the hooks replace.

use std::ffi::{c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{Ioctl, c_long, epoll_event, sockaddr, socklen_t};

/// Declares the functions, each looked up once. A lookup is a call of the dynamic linker, which is why they are
/// all looked up when the library is loaded.
macro_rules! functions {
    ($($name:ident: fn($($parameter:ident: $type:ty),*) -> $result:ty;)*) => {
        /// Looks all of them up.
        pub(crate) fn look_up() {
            look_up_one(&IOCTL, "ioctl\0");
            look_up_one(&SYSCALL, "syscall\0");
            $(look_up_one(&place::$name, concat!(stringify!($name), "\0"));)*
        }

        #[allow(non_upper_case_globals)]
        mod place {
            use super::AtomicPtr;
            $(pub(super) static $name: AtomicPtr<super::c_void> = AtomicPtr::new(std::ptr::null_mut());)*
        }

        $(
            /// # Safety
            /// As the function of this name requires.
            pub(crate) unsafe fn $name($($parameter: $type),*) -> $result {
                let found = look_up_one(&place::$name, concat!(stringify!($name), "\0"));
                // SAFETY: libc has a function of this name and this type.
                let next: unsafe extern "C-unwind" fn($($type),*) -> $result = unsafe { mem::transmute(found) };
                // SAFETY: the caller promises the same.
                unsafe { next($($parameter),*) }
            }
        )*
    };
}

/// Looks a function up, unless that was done before. The name ends with a zero.
fn look_up_one(place: &AtomicPtr<c_void>, name: &str) -> *mut c_void {
    let known = place.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr().cast()) };
    place.store(found, Ordering::Relaxed);
    found
}

functions! {
    socket: fn(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    getsockopt: fn(fd: c_int, level: c_int, option: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int;
    setsockopt: fn(fd: c_int, level: c_int, option: c_int, value: *const c_void, length: socklen_t) -> c_int;
    connect: fn(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
    epoll_ctl: fn(epoll: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    listen: fn(fd: c_int, backlog: c_int) -> c_int;
    close: fn(fd: c_int) -> c_int;
}

static IOCTL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// # Safety
/// As ioctl(2).
pub(crate) unsafe fn ioctl(fd: c_int, request: Ioctl, argument: *mut c_void) -> c_int {
    let found = look_up_one(&IOCTL, "ioctl\0");
    // SAFETY: libc has a function of this name and this type.
    let next: unsafe extern "C" fn(c_int, Ioctl, ...) -> c_int = unsafe { mem::transmute(found) };
    // SAFETY: the caller promises the same.
    unsafe { next(fd, request, argument) }
}

static SYSCALL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// # Safety
/// As syscall(2).
pub(crate) unsafe fn syscall(number: c_long, arguments: [c_long; 6]) -> c_long {
    let found = look_up_one(&SYSCALL, "syscall\0");
    // SAFETY: libc has a function of this name and this type.
    let next: unsafe extern "C" fn(c_long, ...) -> c_long = unsafe { mem::transmute(found) };
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the caller promises the same.
    unsafe { next(number, a, b, c, d, e, f) }
}

/// Closes a descriptor of this library's. This is not a cancellation point, and reports no connection.
///
/// # Safety
/// The descriptor is this library's.
pub(crate) unsafe fn close_own(fd: c_int) {
    // SAFETY: the caller promises the same.
    unsafe { syscall(libc::SYS_close, [fd.into(), 0, 0, 0, 0, 0]) };
}
