//! The limits of the kernel's path manager.

use crate::error::{Error, Result};
use crate::shared::path_manager::{self, refused};
use crate::sys::endpoint::RawLimits;
use crate::table::{Type, Typed, operation, record};

record! {
    /// What the kernel's path manager allows for each connection that it manages.
    pub struct Limits {
        /// How many subflows a connection may have in addition to the initial one, whichever end opens them.
        subflows: u32,
        /// How many addresses that the peer announces the kernel opens subflows to (ADD_ADDR).
        add_addr_accepted: u32,
    }
}

operation! {
    /// Reads the limits of the kernel's path manager.
    ///
    /// They belong to the calling thread's network namespace. The kernel's defaults are 2 subflows and 0
    /// accepted addresses. Connections that an application controls have no limits.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no path manager.
    ///
    /// ```
    /// let limits = subflows::limits()?;
    /// println!("{} subflows, {} addresses", limits.subflows, limits.add_addr_accepted);
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row LIMITS() -> Limits::TYPE, requires Nothing, since "5.7", [Unsupported];
    pub fn limits() -> Result<Limits> {
        let operation = "limits";
        let raw = path_manager::open(operation)?.limits();
        let RawLimits { subflows, add_addr_accepted } = raw.map_err(|error| refused(operation, error))?;
        Ok(Limits { subflows, add_addr_accepted })
    }
}

operation! {
    /// Sets both limits of the kernel's path manager, for connections that begin from now on.
    ///
    /// Every kernel accepts 0 to 8 (Linux 7.2: 0 to 64). To change one limit, pass what `limits` returns for
    /// the other.
    ///
    /// # Errors
    /// `InvalidArgument` for a number that this kernel does not accept: neither limit is changed then.
    /// `NotPermitted` without the privilege; `Unsupported` if the kernel has no path manager.
    ///
    /// ```no_run
    /// # // Requires CAP_NET_ADMIN.
    /// let limits = subflows::limits()?;
    /// subflows::set_limits(8, limits.add_addr_accepted)?;
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row SET_LIMITS(subflows: Type::U32, add_addr_accepted: Type::U32) -> Type::Nothing,
        requires OwnNetAdmin, since "5.7", [NotPermitted Unsupported];
    pub fn set_limits(subflows: u32, add_addr_accepted: u32) -> Result<()> {
        let operation = "set_limits";
        let set = path_manager::open(operation)?.set_limits(RawLimits { subflows, add_addr_accepted });
        set.map_err(|error| match error.errno {
            libc::EINVAL => {
                let detail = format!(
                    "this kernel does not accept subflows {subflows} and add_addr_accepted {add_addr_accepted}"
                );
                Error::argument(operation, detail)
                    .errno(error.errno)
                    .kernel(error.text)
                    .with_remedy("Pass 0 to 8 for each, which every kernel accepts.")
            }
            _ => refused(operation, error),
        })
    }
}
