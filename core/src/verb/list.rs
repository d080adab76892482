//! Listing the live subflows of a connection.

use std::os::fd::AsFd;

use crate::error::Result;
use crate::shared::subflow::{Subflow, list_fd};
use crate::table::{Type, Typed, operation};

operation! {
    /// Lists the live subflows of a connection, in the order in which they were opened.
    ///
    /// A subflow that is being opened is listed with the state `SynSent`. Closed subflows are not
    /// listed, not even the initial one, which the kernel keeps. Without a connection the list is
    /// empty. The call makes one system call and one allocation; before Linux 6.5, several.
    ///
    /// # Errors
    /// `NotMptcp` for plain TCP and after fallback; `InvalidArgument` for a descriptor that is not a
    /// stream socket; before Linux 6.5 `OtherNamespace` from another network namespace.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// for path in subflows::list(&client)? {
    ///     println!("{} {} -> {} {} us", path.id, path.local, path.remote, path.rtt_us);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_GET_SUB_IDS")]
    #[doc(alias = "MPTCP_GET_SUB_TUPLE")]
    row LIST(sock: Type::Socket) -> Type::List(&Subflow::TYPE),
        requires Nothing, since "5.16" with "the module `tcp_diag` before 6.5",
        [NotMptcp OtherNamespace];
    pub fn list(sock: &impl AsFd) -> Result<Vec<Subflow>> {
        list_fd(sock.as_fd(), "list")
    }
}
