//! Short names that the kernel gives.

use std::fmt;
use std::ops::Deref;

use crate::table::{Readable, Ty, Typed, Value};

/// A name of at most 15 bytes, as the kernel gives to interfaces and congestion controls.
///
/// ```
/// assert_eq!(&*subflows::Name::from("wwan0"), "wwan0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; Name::ROOM],
    length: u8,
}

impl Name {
    /// How many bytes a name takes, the zero that ends it in C included (`IFNAMSIZ`,
    /// `TCP_CA_NAME_MAX`).
    pub const ROOM: usize = 16;

    /// The name's bytes, and zeroes.
    pub fn bytes(&self) -> [u8; Name::ROOM] {
        self.bytes
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // What was put in was text, cut between two characters.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl From<&str> for Name {
    /// What is longer than the kernel allows is cut.
    fn from(text: &str) -> Self {
        let fits = |end: &usize| *end < Name::ROOM;
        let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
        let length = ends.take_while(fits).last().unwrap_or(0);
        let mut bytes = [0; Name::ROOM];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Name { bytes, length: length as u8 }
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Typed for Name {
    const TY: Ty = Ty::Name;
}

impl Readable for Name {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(Name::from("wwan0").as_str(), "wwan0");
        assert_eq!(Name::from("123456789012345").as_str(), "123456789012345");
        assert_eq!(Name::from("1234567890123456").as_str(), "123456789012345");
        assert_eq!(Name::from("12345678901234ß").as_str(), "12345678901234");
    }
}
