//! What is counted for each user: sessions, requests in a second, and streams of events.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use subflows::broker::StreamNumber;

/// The longest time that a request waits if the user exceeds the limit of requests in a second.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// The counts of one user.
#[derive(Debug)]
pub(crate) struct User {
    sessions: AtomicUsize,
    tokens: Mutex<Tokens>,
    streams: Mutex<Vec<StreamNumber>>,
}

/// The requests that the user may still make. The count grows with time, up to the requests of one second. A
/// negative count is the number of requests that wait.
#[derive(Debug)]
struct Tokens {
    count: f64,
    since: Instant,
}

impl User {
    /// Counts what costs as much as that many requests. Returns how long it has to wait, or `None` if that would
    /// be too long.
    pub(crate) fn wait_of(&self, cost: f64, in_a_second: u32) -> Option<Duration> {
        let most = f64::from(in_a_second);
        let now = Instant::now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = tokens.count + now.duration_since(tokens.since).as_secs_f64() * most;
        *tokens = Tokens { count: grown.min(most), since: now };
        let left = tokens.count - cost;
        // With 0 requests in a second, the wait would never end.
        let wait = Duration::try_from_secs_f64((-left).max(0.0) / most).unwrap_or(Duration::MAX);
        if wait > LONGEST_WAIT {
            return None;
        }
        tokens.count = left;
        Some(wait)
    }

    /// Counts that an act has taken so long, as far as it was more than that of one request: acts on many sockets,
    /// and of a client that makes them wait, keep the user's next requests waiting. All acts of a user
    /// take half of a processor at most.
    pub(crate) fn charge(&self, elapsed: Duration, in_a_second: u32) {
        const SHARE: f64 = 0.5;
        let most = f64::from(in_a_second);
        let cost = elapsed.as_secs_f64() / SHARE * most - 1.0;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.count -= cost.clamp(0.0, most);
    }

    /// Returns the streams of the user that are still open, for as long as another one is being opened.
    /// Returns `None` if there are too many.
    pub(crate) fn streams(&self, most: usize) -> Option<MutexGuard<'_, Vec<StreamNumber>>> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        // The client has closed some of them without the broker.
        if streams.len() >= most {
            streams.retain(|stream| stream.is_open());
        }
        (streams.len() < most).then_some(streams)
    }
}

/// A session that is counted.
#[derive(Debug)]
pub(crate) struct Counted {
    user: Arc<User>,
    all: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn user(&self) -> &User {
        &self.user
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.user.sessions.fetch_sub(1, Ordering::AcqRel);
        self.all.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Every user that has a session.
#[derive(Debug, Default)]
pub(crate) struct Users {
    users: HashMap<u32, Arc<User>>,
    /// With how many users those that have no session are forgotten.
    most_idle: usize,
    sessions: Arc<AtomicUsize>,
}

impl Users {
    /// Users without a session are forgotten at the earliest when there are more than this.
    const MOST_IDLE: usize = 1024;
    /// The sessions of all users together, so that many users do not use up the descriptors.
    const MOST_SESSIONS: usize = 4096;

    /// The number of sessions, which changes with time.
    pub(crate) fn sessions(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.sessions)
    }

    /// Counts a session, which ends when the value is dropped. Returns `None` if there are too many.
    pub(crate) fn begin(&mut self, uid: u32, requests: u32, most: usize) -> Option<Counted> {
        if self.users.len() > self.most_idle {
            let is_used = |user: &User| {
                // While it has no session, no worker holds the lock.
                user.sessions.load(Ordering::Acquire) > 0
                    || user.streams.try_lock().is_ok_and(|mut streams| {
                        streams.retain(|stream| stream.is_open());
                        !streams.is_empty()
                    })
            };
            self.users.retain(|_, user| is_used(user));
            self.most_idle = Users::MOST_IDLE.max(2 * self.users.len());
        }
        let new = || {
            let tokens = Tokens { count: f64::from(requests), since: Instant::now() };
            let (sessions, tokens) = (AtomicUsize::new(0), Mutex::new(tokens));
            Arc::new(User { sessions, tokens, streams: Mutex::default() })
        };
        let user = Arc::clone(self.users.entry(uid).or_insert_with(new));
        let of_user = user.sessions.fetch_add(1, Ordering::AcqRel);
        let of_all = self.sessions.fetch_add(1, Ordering::AcqRel);
        // If it was one too many, dropping the value takes it back.
        let counted = Counted { user, all: self.sessions() };
        (of_user < most && of_all < Users::MOST_SESSIONS.max(most)).then_some(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_as_many_requests_and_sessions_as_the_limits_allow() {
        let mut users = Users::default();
        let one = users.begin(7, 3, 1).unwrap();
        let waits = (0..5).map(|_| one.user().wait_of(1.0, 3));
        assert_eq!(waits.filter(|wait| *wait == Some(Duration::ZERO)).count(), 3);
        assert!(users.begin(7, 3, 1).is_none());
        drop(one);
        assert!(users.begin(7, 3, 1).is_some() && users.begin(8, 3, 1).is_some());
        assert_eq!(users.sessions().load(Ordering::Acquire), 0);
    }

    #[test]
    fn what_takes_long_counts_as_many_requests() {
        let mut users = Users::default();
        let one = users.begin(7, 1000, 1).unwrap();
        one.user().charge(Duration::from_micros(400), 1000);
        assert_eq!(one.user().wait_of(999.0, 1000), Some(Duration::ZERO));
        // No more than all requests of a second.
        one.user().charge(Duration::from_secs(5), 1000);
        assert_eq!(one.user().wait_of(1.0, 1000), None);
        let later = Instant::now() + Duration::from_secs(2);
        subflows_lab::wait_until(Duration::from_secs(10), "the user is served again", || {
            one.user().wait_of(1.0, 1000).is_some()
        });
        assert!(Instant::now() < later);
    }

    #[test]
    fn a_request_waits_for_those_before_it() {
        let mut users = Users::default();
        let one = users.begin(7, 1000, 1).unwrap();
        let waits: Vec<_> = (0..1200).map(|_| one.user().wait_of(1.0, 1000)).collect();
        assert_eq!(waits[999], Some(Duration::ZERO));
        let wait = waits[1050].expect("it is served");
        assert!(wait > Duration::from_millis(10) && wait <= LONGEST_WAIT, "{wait:?}");
        assert_eq!(waits[1199], None);
        assert_eq!(users.begin(8, 0, 1).unwrap().user().wait_of(1.0, 0), None);
    }
}
