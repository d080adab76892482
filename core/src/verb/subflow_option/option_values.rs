//! The record of every option of one subflow.

use crate::kernel_name::KernelName;
use crate::shared::subflow_option::{OptionValue, SubflowOption};
use crate::table::record;

record! {
    /// The options of one subflow. An option is absent if this process cannot read it.
    pub struct OptionValues {
        /// The name of the congestion control.
        congestion_control: Option<KernelName>,
        /// The mark of its packets.
        mark: Option<u32>,
        /// The priority of its packets in the queues of this host.
        priority: Option<u32>,
        /// The byte in the IP header: TOS of IPv4, traffic class of IPv6.
        traffic_class: Option<u8>,
        /// The rate to which sending is limited; 4294967295 for no limit.
        max_pacing_rate: Option<u64> [BytesPerSecond],
        /// How long sent data may stay unacknowledged; 0 for the kernel's default.
        user_timeout_ms: Option<u32> [Milliseconds],
        /// Whether the kernel probes an idle subflow.
        keepalive: Option<bool>,
        /// How long the subflow is idle before the first probe, in seconds.
        keepalive_idle_s: Option<u32>,
        /// The time between two probes, in seconds.
        keepalive_interval_s: Option<u32>,
        /// How many probes may stay unanswered.
        keepalive_count: Option<u32>,
        /// The size of the send buffer, with what the kernel adds for itself.
        send_buffer: Option<u32> [Bytes],
        /// The size of the receive buffer, with what the kernel adds for itself.
        receive_buffer: Option<u32> [Bytes],
        /// Whether small segments are sent at once.
        no_delay: Option<bool>,
        /// The size of the segments that are sent now.
        max_segment: Option<u32> [Bytes],
        /// How many times the first segment is sent again.
        syn_count: Option<u32>,
        /// The amount of unsent data below which the subflow accepts more.
        not_sent_low_water: Option<u32> [Bytes],
        /// The largest receive window to announce.
        window_clamp: Option<u32> [Bytes],
    }
}

impl OptionValues {
    /// Makes the record of what `value` returns for each option.
    pub(crate) fn new(value: impl Fn(SubflowOption) -> Option<OptionValue>) -> OptionValues {
        use SubflowOption as Is;
        let number = |option| match value(option)? {
            OptionValue::Number(number) => Some(number),
            _ => None,
        };
        let word = |option| number(option).map(|number| number as u32);
        let switch = |option| value(option).map(|value| value == OptionValue::Switch(true));
        let name = |option| match value(option)? {
            OptionValue::Name(name) => Some(KernelName::from(name.as_str())),
            _ => None,
        };
        OptionValues {
            congestion_control: name(Is::CongestionControl),
            mark: word(Is::Mark),
            priority: word(Is::Priority),
            traffic_class: number(Is::TrafficClass).map(|number| number as u8),
            max_pacing_rate: number(Is::MaxPacingRate),
            user_timeout_ms: word(Is::UserTimeout),
            keepalive: switch(Is::Keepalive),
            keepalive_idle_s: word(Is::KeepaliveIdle),
            keepalive_interval_s: word(Is::KeepaliveInterval),
            keepalive_count: word(Is::KeepaliveCount),
            send_buffer: word(Is::SendBuffer),
            receive_buffer: word(Is::ReceiveBuffer),
            no_delay: switch(Is::NoDelay),
            max_segment: word(Is::MaxSegment),
            syn_count: word(Is::SynCount),
            not_sent_low_water: word(Is::NotSentLowWater),
            window_clamp: word(Is::WindowClamp),
        }
    }
}
