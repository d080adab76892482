//! Numbers and texts at fixed places of a message, little-endian.

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is of another version of the protocol, which the broker answers in its own.
    Version(u16),
    /// It is not a message of this protocol.
    Message,
}

/// Writes a message.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) -> &mut Writer {
        self.bytes(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Writer {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Writer {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Writer {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes a text in a place of that size: at least one zero ends it.
    pub(super) fn text(&mut self, text: &str, place: usize) -> &mut Writer {
        // A zero in the text would end it earlier.
        let text = text.split('\0').next().unwrap_or_default();
        let mut length = text.len().min(place - 1);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let end = self.0.len() + place;
        self.bytes(&text.as_bytes()[..length]).fill(end)
    }

    /// Writes zeroes up to that length of the message.
    pub(super) fn fill(&mut self, length: usize) -> &mut Writer {
        self.0.resize(length, 0);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::Message)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), Malformed> {
        self.0 = self.0.get(length..).ok_or(Malformed::Message)?;
        Ok(())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self, place: usize) -> Result<String, Malformed> {
        let bytes = self.0.get(..place).ok_or(Malformed::Message)?;
        self.0 = &self.0[place..];
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}
