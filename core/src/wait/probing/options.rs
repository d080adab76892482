//! The options of `probe`.

use std::time::Duration;

use crate::table::options;

options! {
    /// Options of `probe`.
    pub struct Probe {
        optional {
            /// The timeout of the whole probe. The default is 5 s.
            timeout: Duration,
            /// Text to send once the connection is established, at most 4096 bytes. Without it, nothing of
            /// an application protocol is sent, and the verdict may be `Unconfirmed` although the peer has
            /// Multipath TCP.
            data: String,
        }
        default {}
    }
}
