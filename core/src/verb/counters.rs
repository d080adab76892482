//! The kernel's counters of Multipath TCP (MIB).

use crate::cause;
use crate::error::{Error, Result};
use crate::shared::counters::{self, Counter};
use crate::shared::no_mptcp;
use crate::table::{Type, Typed, operation};

operation! {
    /// Reads the kernel's counters of Multipath TCP (MIB) in the calling thread's network namespace, in the
    /// kernel's order.
    ///
    /// Kernels differ in the counters that they have. The value of `MPCurrEstab` is the number of
    /// connections at the moment.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no such counters.
    ///
    /// ```
    /// for counter in subflows::counters()?.iter().filter(|counter| counter.value > 0) {
    ///     println!("{} {}", counter.name, counter.value);
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row COUNTERS() -> Type::List(&Counter::TYPE), requires Nothing, since "5.6", [Unsupported];
    pub fn counters() -> Result<Vec<Counter>> {
        const OPERATION: &str = "counters";
        let read = counters::read().map_err(|error| Error::from_io(OPERATION, &error))?;
        read.ok_or_else(|| {
            let cause = no_mptcp::cause().filter(|cause| *cause == cause::NO_MPTCP);
            cause.unwrap_or(cause::NO_COUNTERS).error(OPERATION)
        })
    }
}
