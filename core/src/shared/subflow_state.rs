//! The TCP state of a subflow.

use crate::table::enumeration;

enumeration! {
    /// The TCP state of a subflow. The numbers are those of the kernel.
    pub enum SubflowState {
        /// A state that this version of the library does not know.
        Unknown = 0,
        /// Open.
        Established = 1,
        /// This end has sent the first segment.
        SynSent = 2,
        /// The peer has sent the first segment.
        SynReceived = 3,
        /// This end has closed, and the peer has not acknowledged it.
        FinWait1 = 4,
        /// This end has closed, and the peer has acknowledged it.
        FinWait2 = 5,
        /// Both ends have closed; late segments are still awaited.
        TimeWait = 6,
        /// Closed.
        Closed = 7,
        /// The peer has closed.
        CloseWait = 8,
        /// The peer has closed, and then this end.
        LastAck = 9,
        /// Both ends have closed at the same time.
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
