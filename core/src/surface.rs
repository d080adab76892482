//! The lists of every public operation, record, options struct and enumeration.

use crate::table::{EnumerationTable, Operation, OptionsTable, RecordTable};
use crate::verb::{
    addresses, announce, capabilities, close, connect, connections, counters, details, doctor,
    endpoints, events, info, limits, list, listen, open, peer_addresses, probe, set_backup,
    settings, socket, status, subflow_option, take_control, upgrade,
};

/// Every operation, in the order in which a program usually needs them. Every language has all.
pub const OPERATIONS: &[Operation] = &[
    socket::SOCKET,
    connect::CONNECT,
    listen::LISTEN,
    upgrade::UPGRADE,
    take_control::TAKE_CONTROL,
    status::STATUS,
    info::INFO,
    list::LIST,
    details::DETAILS,
    open::OPEN,
    close::CLOSE,
    set_backup::SET_BACKUP,
    subflow_option::SET_OPTION,
    subflow_option::GET_OPTION,
    subflow_option::OPTIONS,
    subflow_option::SET_RAW_OPTION,
    subflow_option::GET_RAW_OPTION,
    announce::ANNOUNCE,
    addresses::ADDRESSES,
    peer_addresses::PEER_ADDRESSES,
    events::EVENTS,
    connections::CONNECTIONS,
    connections::CONNECTION,
    endpoints::ENDPOINTS,
    endpoints::ADD_ENDPOINT,
    endpoints::SET_ENDPOINT_BACKUP,
    endpoints::SET_ENDPOINT_FULLMESH,
    endpoints::REMOVE_ENDPOINT,
    endpoints::FLUSH_ENDPOINTS,
    limits::LIMITS,
    limits::SET_LIMITS,
    settings::SETTINGS,
    settings::SET_SETTING,
    counters::COUNTERS,
    probe::PROBE,
    capabilities::CAPABILITIES,
    doctor::DOCTOR,
    doctor::DIAGNOSE,
];

/// Every record.
pub const RECORDS: &[RecordTable] = &[
    crate::Status::TABLE,
    crate::Info::TABLE,
    crate::Subflow::TABLE,
    crate::Details::TABLE,
    crate::Address::TABLE,
    crate::PeerAddress::TABLE,
    crate::Event::TABLE,
    crate::Connection::TABLE,
    crate::Endpoint::TABLE,
    crate::Limits::TABLE,
    crate::Settings::TABLE,
    crate::Counter::TABLE,
    crate::ProcessInfo::TABLE,
    crate::ProbeReport::TABLE,
    crate::Capability::TABLE,
    crate::Finding::TABLE,
    crate::OptionValues::TABLE,
];

/// Every options struct.
pub const OPTIONS: &[OptionsTable] = &[
    crate::Connect::TABLE,
    crate::Listen::TABLE,
    crate::Open::TABLE,
    crate::Announce::TABLE,
    crate::ConnectionsOptions::TABLE,
    crate::AddEndpoint::TABLE,
    crate::Doctor::TABLE,
    crate::Probe::TABLE,
];

/// Every enumeration.
pub const ENUMERATIONS: &[EnumerationTable] = &[
    crate::Family::TABLE,
    crate::State::TABLE,
    crate::PathManager::TABLE,
    crate::SubflowState::TABLE,
    crate::EventKind::TABLE,
    crate::SubflowOption::TABLE,
    crate::Severity::TABLE,
    crate::FindingKind::TABLE,
    crate::Verdict::TABLE,
];
