//! How long a subflow that has joined is held back, so that the peer's kernel does not damage the
//! stream.
//!
//! Linux 6.15 to 6.18 can damage what it receives on a new subflow. If the receiver's socket is
//! locked when the third segment of the join arrives, because a program is in the middle of a
//! system call on it, the kernel finishes the join when the socket is unlocked
//! (`mptcp_subflow_joined` in `net/mptcp/protocol.c`). It then sets the subflow's data sequence
//! number to the next one that the connection expects, although a segment with another one may have
//! arrived on the subflow by then. These bytes get the wrong place in the stream if earlier data is
//! still waiting on another subflow. No error is reported. `tests/upstream/join-damage` has a
//! program that shows it without this library.
//!
//! Only data to the end that accepted the join is in danger: the end that requested it sets the
//! number before data can arrive. So nothing has to wait when an event reports a subflow that the
//! peer opened.
//!
//! The sender cannot see when the receiver has unlocked its socket. It can only send later:
//! - An opened subflow is not reported, and so not used by a caller that waits for it, until
//!   [`REST`] has passed. Data takes one round trip longer than the third segment of the join to
//!   arrive, so that a subflow with a longer round trip needs no rest.
//! - A caller that sends from another thread would use the subflow at once. If the peer is near,
//!   the subflow joins as backup and becomes a regular one after the rest: the kernel sends nothing
//!   on a backup while another subflow works. If the peer is far, this is not done: MP_PRIO, which
//!   ends it, is not sent again if it is lost.

use std::time::Duration;

use crate::shared::subflow::Subflow;
use crate::sys::processor_load;

/// How long a joined subflow rests. The receiver's system call takes some microseconds, but the
/// thread that makes it can be preempted, and on a busy machine it waits for several time slices.
/// On two processors with a load of 7, messages that were sent after a rest of 0 ms were damaged in
/// 32 of 480 cases, after 1 ms in 19 of 480, 5 ms: 15 of 720, 10 ms: 1 of 480, 20 ms: 2 of 600,
/// 40 ms: 0 of 600, 50 ms: 0 of 1060. With a load of 9, 1 of 12 was damaged after 50 ms, so that a
/// busier host rests longer.
const REST: Duration = Duration::from_millis(50);
/// Up to this load per processor, in hundredths, a subflow rests for [`REST`]; above it, proportionally
/// longer.
const BUSY: u32 = 200;
const LONGEST: Duration = Duration::from_millis(500);
/// With a longer round trip, a subflow needs no rest. The receiver that is preempted for long is
/// one on the same host, whose processor the sender takes; anywhere else its system call is over
/// by then.
const RESTLESS: Duration = Duration::from_millis(1);
/// With a shorter round trip on any subflow, the peer is near. The kernel rounds the first
/// round-trip time of an accepted connection up to a whole millisecond.
const NEAR: Duration = Duration::from_millis(2);

/// Returns how long to hold back a subflow that has just joined.
pub(crate) fn after_joining(joined: &Subflow) -> Duration {
    if round_trip(joined) > RESTLESS {
        return Duration::ZERO;
    }
    (REST / BUSY).saturating_mul(processor_load::per_processor().max(BUSY)).min(LONGEST)
}

/// Reports whether a further subflow of the connection with these subflows may have to be held back.
pub(crate) fn is_needed(live: &[Subflow]) -> bool {
    live.iter().any(|subflow| round_trip(subflow) <= NEAR)
}

/// Returns the least round-trip time: on a busy machine, single measurements are too long.
fn round_trip(subflow: &Subflow) -> Duration {
    Duration::from_micros(subflow.rtt_us.min(subflow.rtt_min_us).into())
}
