//! A set of numbers that all threads of the process share, without a lock: the child of a fork would
//! wait forever for a lock that another thread of its parent held.

use std::num::NonZero;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A set in which a number is as often as it was added. Nodes are used again and never freed, so the
/// set is as large as it was at its largest.
#[derive(Debug)]
pub(crate) struct SharedSet {
    first: AtomicPtr<Node>,
}

#[derive(Debug)]
struct Node {
    /// 0 if the node is free.
    number: AtomicU64,
    next: Option<&'static Node>,
}

impl SharedSet {
    pub(crate) const fn new() -> SharedSet {
        SharedSet { first: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds a number. It is in the set as long as the result exists.
    pub(crate) fn add(&self, number: NonZero<u64>) -> Member {
        let take = |node: &&Node| {
            let (free, taken) = (Ordering::Relaxed, Ordering::AcqRel);
            node.number.compare_exchange(0, number.get(), taken, free).is_ok()
        };
        if let Some(node) = self.nodes().find(take) {
            return Member(node);
        }
        let mut first = self.first();
        loop {
            let number = AtomicU64::new(number.get());
            let node: &'static mut Node = Box::leak(Box::new(Node { number, next: first }));
            let before = first.map_or(ptr::null_mut(), |first| ptr::from_ref(first).cast_mut());
            let fresh: *mut Node = node;
            let (done, failed) = (Ordering::AcqRel, Ordering::Acquire);
            if self.first.compare_exchange(before, fresh, done, failed).is_ok() {
                // SAFETY: the node was leaked above, so that it is never freed, and is only read and
                // written through its atomic number from here on.
                return Member(unsafe { &*fresh });
            }
            // Another thread was faster.
            // SAFETY: the node was made above, and only this thread has it.
            drop(unsafe { Box::from_raw(fresh) });
            first = self.first();
        }
    }

    pub(crate) fn contains(&self, number: NonZero<u64>) -> bool {
        self.nodes().any(|node| node.number.load(Ordering::Acquire) == number.get())
    }

    fn first(&self) -> Option<&'static Node> {
        // SAFETY: the pointer is null, or leads to a node that was leaked.
        unsafe { self.first.load(Ordering::Acquire).as_ref() }
    }

    fn nodes(&self) -> impl Iterator<Item = &'static Node> {
        std::iter::successors(self.first(), |node| node.next)
    }
}

/// A number in a [`SharedSet`].
#[derive(Debug)]
pub(crate) struct Member(&'static Node);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.number.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::thread;

    use super::SharedSet;

    #[test]
    fn a_number_is_a_member_until_it_is_dropped() {
        let set = SharedSet::new();
        let [one, two] = [1, 2].map(|number| NonZero::new(number).unwrap());
        let (first, second) = (set.add(one), set.add(one));
        assert!(set.contains(one) && !set.contains(two));
        drop(first);
        assert!(set.contains(one));
        drop(second);
        assert!(!set.contains(one));
    }

    #[test]
    fn threads_add_and_drop_side_by_side() {
        let set = SharedSet::new();
        thread::scope(|scope| {
            for thread in 1..=4u64 {
                let set = &set;
                scope.spawn(move || {
                    for round in 0..1000 {
                        let number = NonZero::new(thread * 1000 + round).unwrap();
                        let member = set.add(number);
                        assert!(set.contains(number));
                        drop(member);
                        assert!(!set.contains(number));
                    }
                });
            }
        });
        assert!(set.nodes().count() <= 4);
    }
}
