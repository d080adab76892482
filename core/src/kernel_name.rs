//! Short names of the kernel.

use std::fmt;
use std::ops::Deref;

use crate::table::{Readable, Type, Typed, Value};

/// A name of at most 15 bytes, such as that of an interface or of a congestion control.
///
/// ```
/// assert_eq!(&*subflows::KernelName::from("wwan0"), "wwan0");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelName {
    bytes: [u8; KernelName::ROOM],
    length: u8,
}

impl KernelName {
    /// The size of a name in C in bytes, with the zero that ends it (`IFNAMSIZ`, `TCP_CA_NAME_MAX`).
    pub const ROOM: usize = 16;

    /// Returns the bytes of the name, followed by zeroes.
    pub fn bytes(&self) -> [u8; KernelName::ROOM] {
        self.bytes
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        // The bytes are those of a text that was cut between two characters.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl From<&str> for KernelName {
    /// Cuts a text that is longer than 15 bytes.
    fn from(text: &str) -> Self {
        let fits = |end: &usize| *end < KernelName::ROOM;
        let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
        let length = ends.take_while(fits).last().unwrap_or(0);
        let mut bytes = [0; KernelName::ROOM];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        KernelName { bytes, length: length as u8 }
    }
}

impl Deref for KernelName {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Typed for KernelName {
    const TYPE: Type = Type::Name;
}

impl Readable for KernelName {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::KernelName;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(KernelName::from("wwan0").as_str(), "wwan0");
        assert_eq!(KernelName::from("123456789012345").as_str(), "123456789012345");
        assert_eq!(KernelName::from("1234567890123456").as_str(), "123456789012345");
        assert_eq!(KernelName::from("12345678901234ß").as_str(), "12345678901234");
    }
}
