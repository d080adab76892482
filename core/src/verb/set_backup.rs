//! The priority of a subflow.

use std::os::fd::{AsFd, BorrowedFd};

use crate::door::common::path_manager::path_manager;
use crate::door::{self, Why};
use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::not_controlled::not_controlled;
use crate::shared::path_manager::PathManager;
use crate::shared::socket_state::{no_such_subflow, not_mptcp_error};
use crate::shared::subflow;
use crate::sys::mptcp;
use crate::table::{Type, operation};

operation! {
    /// Marks a subflow as backup, or as a regular one again, for both ends (MP_PRIO).
    ///
    /// A backup carries data only while no other subflow can. This end follows the mark at once. The
    /// peer decides itself; Linux complies. The request is one segment, which is not sent again if it
    /// is lost: if the peer's sending does not change, call it again. `details` reports the marks.
    ///
    /// # Errors
    /// `NoSuchSubflow` if no live subflow has that id; `NotControlled` if the kernel's path manager
    /// manages the connection; `Closed` if the connection has ended; `NotMptcp` for plain TCP and
    /// after fallback; `NotPermitted` without the privilege; `OtherNamespace` from another network
    /// namespace.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let paths = subflows::list(&stream)?;
    /// subflows::set_backup(&stream, paths[0].id, true)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row SET_BACKUP(sock: Type::Socket, id: Type::U32, backup: Type::Bool) -> Type::Nothing,
        requires NetAdmin and "a connection that the application controls", since "5.19",
        [NoSuchSubflow NotControlled Closed NotMptcp NotPermitted OtherNamespace];
    pub fn set_backup(sock: &impl AsFd, id: u32, backup: bool) -> Result<()> {
        set_backup_fd(sock.as_fd(), id, backup)
    }
}

fn set_backup_fd(sock: BorrowedFd<'_>, id: u32, backup: bool) -> Result<()> {
    const OPERATION: &str = "set_backup";
    let subflow = subflow::find(sock, id, OPERATION)?;
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    let door = door::choose();
    if path_manager(door, sock, &info) == PathManager::Kernel {
        return Err(not_controlled(sock, OPERATION));
    }
    let asked = door.set_backup(Connected::new(sock, &info), subflow.ends(), backup);
    asked.map_err(|refused| match refused.why {
        Why::NotFound => no_such_subflow(sock, OPERATION, id),
        _ => refused.during(OPERATION),
    })
}
