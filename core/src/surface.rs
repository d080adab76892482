//! Every public operation, in one table.

use crate::table::Operation;
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
