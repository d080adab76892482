//! Listing subflows must not allocate once per subflow, and looking for a connection that has ended must
//! not list all connections.
#![allow(missing_docs)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use subflows::{ErrorKind, Open};
use subflows_lab::Net;

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let result = work();
    (COUNT.get() - before, result)
}

#[test]
fn list_allocates_once_and_info_never() {
    subflows_lab::skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let pair = common::controlled(&net, net.paths[0].server_v4.into());
    let _inside = net.client.enter().unwrap();
    subflows::open(&pair.client, &Open::new().local(net.paths[1].client_v4)).unwrap();
    // Probes that run once per process run here.
    subflows::list(&pair.client).unwrap();
    subflows::info(&pair.client).unwrap();

    if common::is_without("full_info") {
        return subflows_lab::skip("before Linux 6.5, both read the subflows one by one");
    }
    let (count, subflows) = allocations(|| subflows::list(&pair.client).unwrap());
    assert_eq!((count, subflows.len()), (1, 2));
    let (count, _info) = allocations(|| subflows::info(&pair.client).unwrap());
    assert_eq!(count, 0);
}

/// To find that a connection has ended, the library once listed all connections.
#[test]
fn a_look_up_that_finds_nothing_lists_nothing() {
    subflows_lab::skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let _inside = net.client.enter().unwrap();
    let look = || subflows::connection(0).unwrap_err().kind();
    // Probes that run once per process run here.
    look();
    let (count, kind) = allocations(look);
    // Two requests, a new socket and the error. A list would need one more socket and two more
    // requests.
    assert_eq!((count, kind), (5, ErrorKind::Closed));
}
