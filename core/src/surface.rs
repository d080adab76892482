//! Every public operation, in one table.

use crate::table::{EnumerationTable, Operation, OptionsTable, RecordTable};
use crate::{
    address, announce, backup, capabilities, connect, connection, control, details, events, info,
    listen, open, status, subflow, upgrade,
};

/// Every operation that each language offers, in the order in which people meet them.
pub const OPERATIONS: &[Operation] = &[
    connect::SOCKET,
    connect::CONNECT,
    listen::LISTEN,
    upgrade::UPGRADE,
    control::TAKE_CONTROL,
    status::STATUS,
    info::INFO,
    subflow::LIST,
    details::DETAILS,
    open::OPEN,
    subflow::CLOSE,
    backup::SET_BACKUP,
    announce::ANNOUNCE,
    address::ADDRESSES,
    events::EVENTS,
    connection::CONNECTIONS,
    connection::CONNECTION,
    capabilities::CAPABILITIES,
];

/// Every record.
pub const RECORDS: &[RecordTable] = &[
    crate::Status::TABLE,
    crate::Info::TABLE,
    crate::Subflow::TABLE,
    crate::Details::TABLE,
    crate::Address::TABLE,
    crate::Event::TABLE,
    crate::Connection::TABLE,
    crate::Capability::TABLE,
];

/// Every options struct.
pub const OPTIONS: &[OptionsTable] = &[
    crate::Connect::TABLE,
    crate::Listen::TABLE,
    crate::Open::TABLE,
    crate::Announce::TABLE,
    crate::Connections::TABLE,
];

/// Every enumeration.
pub const ENUMERATIONS: &[EnumerationTable] = &[
    crate::Family::TABLE,
    crate::State::TABLE,
    crate::PathManager::TABLE,
    crate::SubflowState::TABLE,
    crate::EventKind::TABLE,
];
