//! The waits that end with a result: those of `connect`, `open`, `probe` and `doctor`.

use std::time::{Duration, Instant};

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::jlong;

use super::handle::{self, Held};
use super::{Step, until};
use crate::error::Failure;
use crate::jdk::descriptor;
use crate::packed::Packed;

/// The JDK does not report that another thread closes a socket: it is checked at this interval.
const CLOSE_CHECK: Duration = Duration::from_millis(50);

/// Returns the result, or null if there is none yet. Never waits. Fails if `sock` is closed, unless it
/// is null.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let result = match handle::with(number, |held| step(env, &sock, held))? {
        Step::Done(result) => Some(result),
        Step::Pending(_) => None,
    };
    Packed::to_java_or_null(env, result)
}

/// Waits for the result. Returns null if the wait is woken.
pub(crate) fn await_result<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    wait: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    let result = until(number, wait, |held| {
        // The frame releases the references that this step makes.
        env.with_local_frame(8, |env| step(env, &sock, held))
    })?;
    Packed::to_java_or_null(env, result)
}

fn step(env: &mut Env<'_>, sock: &JObject<'_>, held: &mut Held) -> Result<Step<Packed>, Failure> {
    // A descriptor that was passed by its number has no object that could be closed.
    let close_check = if sock.is_null() { None } else { Some(Instant::now() + CLOSE_CHECK) };
    descriptor::check_open(env, sock, "open")?;
    let (result, deadline) = match held {
        Held::Connecting(connecting) => {
            let is_connected = connecting.advance()?;
            (is_connected.then(|| Packed::address(connecting.remote())), connecting.deadline())
        }
        Held::Opening(opening) => {
            (opening.advance()?.as_ref().map(Packed::only), Some(opening.deadline()))
        }
        Held::Probing(probing) => {
            (probing.advance()?.as_ref().map(Packed::only), Some(probing.deadline()))
        }
        Held::Examining(examining) => {
            (examining.advance()?.as_deref().map(Packed::all), Some(examining.deadline()))
        }
        Held::Events(_) | Held::Announced(_) => return Err(Failure::HandleClosed),
    };
    Ok(match result {
        Some(result) => Step::Done(result),
        None => Step::Pending(deadline.into_iter().chain(close_check).min()),
    })
}
