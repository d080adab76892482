//! Generic netlink: the numbers of a family, and its messages.
//!
//! Source: `net/netlink/genetlink.c`.

use super::netlink::{Attributes, Message, Netlink, NetlinkError, Received, number};
use super::uapi::ctrl;

/// The numbers of a family: the same in every namespace, and until the next boot.
#[derive(Clone, Debug, Default)]
pub(super) struct Family {
    pub(super) id: u16,
    /// The commands that this kernel knows.
    pub(super) commands: Vec<u8>,
    /// The multicast groups: name and number.
    groups: Vec<(String, u32)>,
}

impl Family {
    /// Asks the kernel for a family.
    ///
    /// # Errors
    /// `ENOENT` if this kernel does not have it.
    pub(super) fn find(netlink: &mut Netlink, name: &str) -> Result<Family, NetlinkError> {
        let name = [name.as_bytes(), b"\0"].concat();
        let message = message(ctrl::FAMILY, 0, ctrl::CMD_GETFAMILY, 1)
            .attribute(ctrl::ATTR_FAMILY_NAME, &name);
        let mut family = Family::default();
        netlink.request(message, |received| {
            family = Family::parse(payload(received)?)?;
            Ok(())
        })?;
        Ok(family)
    }

    /// Returns the number of a multicast group.
    pub(super) fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|group| group.0 == name).map(|group| group.1)
    }

    fn parse(payload: &[u8]) -> Result<Family, NetlinkError> {
        let mut family = Family::default();
        for attribute in Attributes(payload) {
            match attribute? {
                (ctrl::ATTR_FAMILY_ID, value) => family.id = u16::from_ne_bytes(number(value)?),
                (ctrl::ATTR_OPS, list) => {
                    for operation in Attributes(list) {
                        for field in Attributes(operation?.1) {
                            if let (ctrl::ATTR_OP_ID, value) = field? {
                                // Commands are numbers of 8 bits, sent as 32.
                                family.commands.push(u32::from_ne_bytes(number(value)?) as u8);
                            }
                        }
                    }
                }
                (ctrl::ATTR_MCAST_GROUPS, list) => {
                    for group in Attributes(list) {
                        family.groups.extend(parse_group(group?.1)?);
                    }
                }
                _ => {}
            }
        }
        if family.id == 0 { Err(NetlinkError::malformed()) } else { Ok(family) }
    }
}

fn parse_group(group: &[u8]) -> Result<Option<(String, u32)>, NetlinkError> {
    let (mut name, mut id) = (None, None);
    for field in Attributes(group) {
        match field? {
            (ctrl::ATTR_MCAST_GRP_ID, value) => id = Some(u32::from_ne_bytes(number(value)?)),
            (ctrl::ATTR_MCAST_GRP_NAME, value) => {
                let text = value.strip_suffix(&[0]).unwrap_or(value);
                name = Some(String::from_utf8_lossy(text).into_owned());
            }
            _ => {}
        }
    }
    Ok(name.zip(id))
}

/// Begins a message with the header of generic netlink.
pub(super) fn message(family: u16, flags: i32, command: u8, version: u8) -> Message {
    Message::new(family, flags).raw(&[command, version, 0, 0])
}

/// Returns the attributes of a message, after the header of generic netlink.
pub(super) fn payload<'a>(received: &Received<'a>) -> Result<&'a [u8], NetlinkError> {
    received.payload.get(4..).ok_or_else(NetlinkError::malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        let family = Family { groups: vec![("a".into(), 3), ("b".into(), 4)], ..Family::default() };
        assert_eq!((family.group("b"), family.group("c")), (Some(4), None));
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(payload: Vec<u8>) {
            let _ = Family::parse(&payload);
        }
    }
}
