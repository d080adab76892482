//! What an address offers: Multipath TCP or not, and what happens to it on the way.
//!
//! The options are in `wait/probing/options.rs`. The report is in `wait/probing/report.rs`.

use std::net::SocketAddr;

use crate::error::Result;
use crate::table::{Type, Typed, operation};
use crate::wait::probing::{Probe, ProbeReport, Probing};

operation! {
    /// Finds out whether a server has Multipath TCP, and what happens to it on the way there.
    ///
    /// Connects and closes again. Nothing of an application protocol is sent unless `data` is set. A
    /// SYN/ACK with the right option is not enough for the verdict `Mptcp`: the peer must acknowledge the
    /// end of the data (DATA_FIN). If the SYN is not answered, a connection by plain TCP is tried as well.
    ///
    /// The kernel stops to use Multipath TCP in a whole network namespace for an hour or more after a
    /// connection through a black hole (`net.mptcp.blackhole_timeout`). A probe ends before that, so other
    /// connections are not affected.
    ///
    /// # Errors
    /// - `Unsupported` before Linux 5.16, if Multipath TCP is switched off here, and if the kernel has
    ///   suspended it in this network namespace because of a black hole.
    /// - `NotPermitted` if a security policy of this host denies the connection; `AddressNotAvailable` if
    ///   no local port is left.
    /// - `InvalidArgument` for data of more than 4096 bytes, and for a link-local address without a scope.
    ///
    /// ```
    /// use subflows::{Listen, Probe, Verdict};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let report = subflows::probe(listener.local_addr()?, &Probe::new())?;
    /// assert_eq!(report.verdict, Verdict::Mptcp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row PROBE(address: Type::Address, options: Probe::TYPE) -> ProbeReport::TYPE,
        requires Nothing, since "5.16", [Unsupported NotPermitted AddressNotAvailable];
    pub fn probe(address: SocketAddr, options: &Probe) -> Result<ProbeReport> {
        let mut probing = Probing::begin(address, options)?;
        loop {
            if let Some(report) = probing.advance()? {
                return Ok(report);
            }
            probing.wait()?;
        }
    }
}
