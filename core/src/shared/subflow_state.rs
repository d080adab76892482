//! The TCP state of a subflow.

use crate::table::enumeration;

enumeration! {
    /// The TCP state of a subflow; numbers as in the kernel.
    pub enum SubflowState {
        /// A state that this library does not know.
        Unknown = 0,
        /// Open.
        Established = 1,
        /// We sent the first segment.
        SynSent = 2,
        /// The peer sent the first segment.
        SynReceived = 3,
        /// We closed; the peer has not acknowledged it.
        FinWait1 = 4,
        /// We closed; the peer acknowledged it.
        FinWait2 = 5,
        /// Closed by both; strays are awaited.
        TimeWait = 6,
        /// Closed.
        Closed = 7,
        /// The peer closed.
        CloseWait = 8,
        /// The peer closed, then we did.
        LastAck = 9,
        /// Both closed at once.
        Closing = 11,
    }
}

impl SubflowState {
    pub(crate) fn from_kernel(state: u8) -> SubflowState {
        match state {
            1 => SubflowState::Established,
            2 => SubflowState::SynSent,
            3 | 12 => SubflowState::SynReceived,
            4 => SubflowState::FinWait1,
            5 => SubflowState::FinWait2,
            6 => SubflowState::TimeWait,
            7 => SubflowState::Closed,
            8 => SubflowState::CloseWait,
            9 => SubflowState::LastAck,
            11 => SubflowState::Closing,
            _ => SubflowState::Unknown,
        }
    }
}
