//! The counters of a connection as a whole.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::shared::before_6_5;
use crate::shared::info::{Info, from_raw, plausible, subflows_total, wrapping_total};
use crate::shared::socket_state::not_mptcp_error;
use crate::shared::subflow::list_fd;
use crate::sys::mptcp;
use crate::table::{Type, Typed, operation};

operation! {
    /// Reads the counters of a connection.
    ///
    /// On a socket without a connection the counters are 0.
    ///
    /// # Errors
    /// `NotMptcp` for plain TCP and after fallback; `InvalidArgument` for a descriptor that is not a
    /// stream socket.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// assert_eq!(subflows::info(&client)?.subflows, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row INFO(sock: Type::Socket) -> Info::TYPE, requires Nothing, since "5.16", [NotMptcp];
    pub fn info(sock: &impl AsFd) -> Result<Info> {
        info_fd(sock.as_fd())
    }
}

/// Whether the kernel's path manager managed the last connection that was read: it probably manages the
/// next one too. A wrong guess costs a system call and changes no answer.
static EXPECT_LIMITED: AtomicBool = AtomicBool::new(true);

fn info_fd(sock: BorrowedFd<'_>) -> Result<Info> {
    if EXPECT_LIMITED.load(Ordering::Relaxed) {
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, "info", &error))?;
        // The counter wraps at 256 subflows. A connection with limits, which the kernel's path manager
        // manages, never has nearly as many.
        if let (Some(total), 1..) = (subflows_total(&info), info.raw.mptcpi_subflows_max) {
            return Ok(from_raw(&info, Some(total)));
        }
        EXPECT_LIMITED.store(false, Ordering::Relaxed);
    }
    if !before_6_5::is_simulated() {
        if let Ok((info, kept)) = mptcp::info_and_count(sock) {
            EXPECT_LIMITED.store(info.raw.mptcpi_subflows_max > 0, Ordering::Relaxed);
            if let Some(total) = wrapping_total(&info).and_then(|total| plausible(total, kept)) {
                return Ok(from_raw(&info, Some(total)));
            }
        }
    }
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, "info", &error))?;
    let subflows = match list_fd(sock, "info") {
        Ok(subflows) => Some(subflows),
        // Before Linux 6.5, their ids require the kernel's socket table. Their number does not.
        Err(_) => before_6_5::list_without_ids(sock).ok(),
    };
    let subflows = subflows.map(|subflows| subflows.len() as u32);
    Ok(from_raw(&info, subflows))
}
