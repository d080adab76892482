//! The path indexes of one connection.

/// The largest path index: the patched kernels kept them in a word of 32 bits.
pub const ID_MAX: u8 = 31;

/// What a path index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A subflow, by its id in the kernel.
    Subflow(u32),
    /// A request to open one, by the number of the request.
    Request(u64),
}

/// The path indexes of one connection, newest last.
///
/// An index is used again only after all others: programs keep the index of a subflow that has ended.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    entries: Vec<(u8, Named)>,
    /// The index that was assigned last.
    last: u8,
}

impl Ids {
    /// Assigns the next free index. `None` if all are in use.
    pub fn assign(&mut self, named: Named) -> Option<u8> {
        let after_last = (1..=ID_MAX).map(|step| (self.last + step - 1) % ID_MAX + 1);
        let id = after_last.into_iter().find(|id| self.named(*id).is_none())?;
        self.entries.push((id, named));
        self.last = id;
        Some(id)
    }

    /// What an index names.
    pub fn named(&self, id: u8) -> Option<Named> {
        self.entries.iter().find(|entry| entry.0 == id).map(|entry| entry.1)
    }

    /// The subflows that have an index.
    pub fn subflows(&self) -> Vec<u32> {
        let subflow = |entry: &(u8, Named)| match entry.1 {
            Named::Subflow(subflow) => Some(subflow),
            Named::Request(_) => None,
        };
        self.entries.iter().filter_map(subflow).collect()
    }

    /// Forgets an index.
    pub fn release(&mut self, id: u8) {
        self.entries.retain(|entry| entry.0 != id);
    }

    /// Forgets the index of a request.
    pub fn release_request(&mut self, number: u64) {
        self.entries.retain(|entry| entry.1 != Named::Request(number));
    }

    /// Forgets the indexes of all requests.
    pub fn release_requests(&mut self) {
        self.entries.retain(|entry| matches!(entry.1, Named::Subflow(_)));
    }

    /// A request has become this subflow, which keeps the index of the request.
    pub fn becomes(&mut self, number: u64, subflow: u32) {
        let is_known = self.entries.iter().any(|entry| entry.1 == Named::Subflow(subflow));
        match self.entries.iter_mut().find(|entry| entry.1 == Named::Request(number)) {
            Some(entry) if !is_known => entry.1 = Named::Subflow(subflow),
            _ => self.release_request(number),
        }
    }

    /// Forgets the subflows that are no longer live, and assigns an index to each new one, in the order of
    /// their ids in the kernel. A new one beyond the last free index has none.
    pub fn follow(&mut self, live: impl IntoIterator<Item = u32>) {
        let mut live: Vec<u32> = live.into_iter().collect();
        live.sort_unstable();
        self.entries.retain(|(_, named)| match named {
            Named::Subflow(subflow) => live.contains(subflow),
            Named::Request(_) => true,
        });
        for subflow in live.into_iter().map(Named::Subflow) {
            if !self.entries.iter().any(|entry| entry.1 == subflow) {
                self.assign(subflow);
            }
        }
    }

    /// Every index and what it names, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (u8, Named)> + '_ {
        self.entries.iter().rev().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(ids: &Ids) -> Vec<u8> {
        ids.newest_first().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_initial_subflow_is_1_and_the_newest_comes_first() {
        let mut ids = Ids::default();
        ids.follow([1]);
        assert_eq!(all(&ids), [1]);
        ids.follow([1, 5, 4]);
        assert_eq!(all(&ids), [3, 2, 1]);
        assert_eq!(ids.named(3), Some(Named::Subflow(5)));
    }

    #[test]
    fn an_id_is_used_again_only_after_all_others() {
        let mut ids = Ids::default();
        ids.follow([1]);
        for subflow in 2..=200 {
            ids.follow([1, subflow]);
            let expected = (subflow - 2) % 30 + 2;
            assert_eq!(all(&ids), [expected as u8, 1], "{subflow}");
        }
    }

    #[test]
    fn beyond_31_no_id_is_assigned() {
        let mut ids = Ids::default();
        ids.follow(0..40);
        assert_eq!(all(&ids).len(), usize::from(ID_MAX));
        assert_eq!(ids.assign(Named::Request(1)), None);
        ids.release(7);
        assert_eq!(ids.assign(Named::Request(1)), Some(7));
    }

    #[test]
    fn a_request_keeps_its_id_as_a_subflow() {
        let mut ids = Ids::default();
        ids.follow([1]);
        assert_eq!(ids.assign(Named::Request(9)), Some(2));
        ids.follow([1]);
        ids.becomes(9, 4);
        ids.follow([1, 4]);
        assert_eq!(ids.named(2), Some(Named::Subflow(4)));
        assert_eq!(all(&ids), [2, 1]);
    }

    proptest! {
        #[test]
        fn ids_are_unique_and_in_range(steps in proptest::collection::vec(
            proptest::collection::btree_set(0u32..60, 0..12), 0..40,
        )) {
            let mut ids = Ids::default();
            for live in steps {
                ids.follow(live.iter().copied());
                let mut seen = all(&ids);
                prop_assert_eq!(seen.len(), live.len());
                prop_assert!(seen.iter().all(|id| (1..=ID_MAX).contains(id)));
                seen.sort_unstable();
                seen.dedup();
                prop_assert_eq!(seen.len(), live.len());
            }
        }
    }
}
