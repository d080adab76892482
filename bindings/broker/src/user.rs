//! What is counted for each user: sessions, and requests in a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The counts of one user.
#[derive(Debug)]
pub(crate) struct User {
    sessions: AtomicUsize,
    tokens: Mutex<Tokens>,
}

/// Requests that the user may still make. They grow again with time, up to those of a second.
#[derive(Debug)]
struct Tokens {
    count: f64,
    since: Instant,
}

impl User {
    /// Counts a request. Returns false if the user has made too many in the last second.
    pub(crate) fn may_ask(&self, in_a_second: u32) -> bool {
        let most = f64::from(in_a_second);
        let now = Instant::now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = tokens.count + now.duration_since(tokens.since).as_secs_f64() * most;
        *tokens = Tokens { count: grown.min(most), since: now };
        if tokens.count < 1.0 {
            return false;
        }
        tokens.count -= 1.0;
        true
    }

    /// Counts a session, which ends when the value is dropped. Returns `None` if there are too many.
    pub(crate) fn begin(self: &Arc<User>, most: usize) -> Option<Counted> {
        let begun = self.sessions.fetch_add(1, Ordering::AcqRel) < most;
        let counted = Counted(Arc::clone(self));
        // If it was one too many, dropping the value takes it back.
        begun.then_some(counted)
    }
}

/// A session that is counted.
#[derive(Debug)]
pub(crate) struct Counted(Arc<User>);

impl Counted {
    pub(crate) fn user(&self) -> &User {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Every user that has a session.
#[derive(Debug, Default)]
pub(crate) struct Users(HashMap<u32, Arc<User>>);

impl Users {
    /// Users without a session are forgotten when there are more than this.
    const MOST_IDLE: usize = 1024;

    pub(crate) fn get(&mut self, uid: u32, requests: u32) -> Arc<User> {
        if self.0.len() > Users::MOST_IDLE {
            self.0.retain(|_, user| Arc::strong_count(user) > 1);
        }
        let new = || {
            let tokens = Tokens { count: f64::from(requests), since: Instant::now() };
            Arc::new(User { sessions: AtomicUsize::new(0), tokens: Mutex::new(tokens) })
        };
        Arc::clone(self.0.entry(uid).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_as_many_requests_and_sessions_as_the_limits_allow() {
        let mut users = Users::default();
        let user = users.get(7, 3);
        assert_eq!((0..5).filter(|_| user.may_ask(3)).count(), 3);
        let one = user.begin(1);
        assert!(one.is_some() && user.begin(1).is_none());
        drop(one);
        assert!(user.begin(1).is_some() && users.get(7, 3).begin(1).is_some());
    }
}
