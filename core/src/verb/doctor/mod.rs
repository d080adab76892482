//! Why is there no second subflow, and why TCP?

mod connection;
mod examining;
mod finding;
mod host;
mod path_manager;
mod paths;
mod remote;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

pub use examining::Examining;
pub use finding::{Finding, FindingKind, Severity};

use self::finding::Findings;
use crate::error::Result;
use crate::table::{Type, Typed, operation, options};

options! {
    /// Options of `doctor`.
    pub struct Doctor {
        optional {
            /// The address to which a connection has no second subflow, or is TCP. The routes to it are
            /// examined, and one connection is made and closed again, without data.
            remote: SocketAddr,
        }
        default {
            /// How long the remote address has to answer.
            timeout: Duration = Duration::from_secs(5),
        }
    }
}

operation! {
    /// Finds out why connections of this host get no second subflow, or are plain TCP.
    ///
    /// It examines the kernel, this process, the kernel's path manager and the interfaces, in the calling
    /// thread's network namespace, and with `remote` the way to that address. The reason comes first: the
    /// findings are in the order of their severity, at most 64. If nothing is wrong, the list is empty.
    ///
    /// It changes nothing. To find out whether the kernel has switched Multipath TCP off after a black hole,
    /// it may send one segment over the loopback interface. The connection to `remote` ends before the
    /// kernel could take an address that does not answer for a black hole. The call takes at most `timeout`, and
    /// at most a second more if the address cannot be reached.
    ///
    /// # Errors
    /// `InvalidArgument` for a `remote` that is not the address of a host, or a link-local one without a
    /// scope; `NotPermitted` if the routes cannot be read.
    ///
    /// ```
    /// use subflows::Doctor;
    ///
    /// for finding in subflows::doctor(&Doctor::new())? {
    ///     println!("{}: {}. {}", finding.kind, finding.explanation, finding.remedy);
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row DOCTOR(options: Doctor::TYPE) -> Type::List(&Finding::TYPE), requires Nothing,
        [NotPermitted];
    pub fn doctor(options: &Doctor) -> Result<Vec<Finding>> {
        let mut examining = Examining::begin(options)?;
        loop {
            if let Some(found) = examining.advance()? {
                return Ok(found);
            }
            examining.wait()?;
        }
    }
}

operation! {
    /// Finds out why a connection has no second subflow, or is plain TCP.
    ///
    /// It examines the connection, and as far as they matter for it, the kernel's path manager, the interfaces
    /// and the routes. The findings are those of [`doctor`](crate::doctor): the reason comes first, and the
    /// list is empty if the connection has further subflows and nothing is wrong with them. It changes
    /// nothing, and does not wait.
    ///
    /// # Errors
    /// `InvalidArgument` for a descriptor that is not a stream socket; `OtherNamespace` from another network
    /// namespace; `NotPermitted` if the kernel's tables cannot be read; `Unsupported` before Linux 5.16.
    ///
    /// ```
    /// use subflows::{Connect, FindingKind, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// assert_eq!(subflows::diagnose(&client)?[0].kind, FindingKind::NotReady);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row DIAGNOSE(sock: Type::Socket) -> Type::List(&Finding::TYPE), requires Nothing, since "5.16",
        [OtherNamespace NotPermitted Unsupported];
    pub fn diagnose(sock: &impl AsFd) -> Result<Vec<Finding>> {
        let mut found = Findings::default();
        connection::examine(&mut found, sock.as_fd())?;
        Ok(found.sorted())
    }
}
