//! Records and options packed into words, which cross the border in a single array.
//!
//! `bindings/generate/src/java/layout.rs` defines the place of each field. A value without a fixed
//! length follows after all rows, and has one word in its row: its start and its length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use jni::Env;
use jni::objects::JLongArray;
use subflows::KernelName;

use crate::error::Failure;

/// A record that can be written as a row.
pub(crate) trait Row {
    const WIDTH: usize;
    fn write(&self, words: &mut Packed, at: usize);
}

/// A value that can be written to its place.
pub(crate) trait Encode {
    fn encode(&self, words: &mut Packed, at: usize);
}

/// The words of one result: the start and the number of the rows, the rows, and then the values
/// without a fixed length.
pub(crate) struct Packed(Vec<i64>);

impl Packed {
    pub(crate) fn all<R: Row>(records: &[R]) -> Packed {
        let mut words = Packed(Vec::with_capacity(1 + records.len() * R::WIDTH));
        words.0.push(0);
        words.rows(0, records);
        words
    }

    pub(crate) fn only<R: Row>(record: &R) -> Packed {
        Packed::all(std::slice::from_ref(record))
    }

    /// Packs a single address.
    pub(crate) fn address(address: SocketAddr) -> Packed {
        let mut words = Packed(vec![0; 3]);
        address.encode(&mut words, 0);
        words
    }

    pub(crate) fn to_java<'local>(
        &self,
        env: &mut Env<'local>,
    ) -> Result<JLongArray<'local>, Failure> {
        let array = env.new_long_array(self.0.len())?;
        array.set_region(env, 0, &self.0)?;
        Ok(array)
    }

    pub(crate) fn to_java_or_null<'local>(
        env: &mut Env<'local>,
        words: Option<Packed>,
    ) -> Result<JLongArray<'local>, Failure> {
        words.map_or_else(|| Ok(JLongArray::null()), |words| words.to_java(env))
    }

    pub(crate) fn put<T: Encode>(&mut self, at: usize, value: &T) {
        value.encode(self, at);
    }

    /// Writes a value that may be absent, and sets its bit in the first word of the row.
    pub(crate) fn maybe<T: Encode>(&mut self, row: usize, bit: u32, at: usize, value: &Option<T>) {
        if let Some(value) = value {
            self.0[row] |= 1 << bit;
            value.encode(self, at);
        }
    }

    fn rows<R: Row>(&mut self, at: usize, records: &[R]) {
        let start = self.append(at, records.len(), records.len() * R::WIDTH);
        for (index, record) in records.iter().enumerate() {
            record.write(self, start + index * R::WIDTH);
        }
    }

    /// Appends space for a value of that length, and returns its start.
    fn append(&mut self, at: usize, length: usize, words: usize) -> usize {
        let start = self.0.len();
        self.0[at] = ((start as i64) << 32) | length as i64;
        self.0.resize(start + words, 0);
        start
    }

    fn text(&mut self, at: usize, text: &str) {
        let start = self.append(at, text.len(), text.len().div_ceil(8));
        for (word, bytes) in self.0[start..].iter_mut().zip(text.as_bytes().chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = i64::from_be_bytes(padded);
        }
    }

    fn ends(&mut self, at: usize, ip: IpAddr, port: u16, scope: u32) {
        let mut bytes = [0; 16];
        let family = match ip {
            IpAddr::V4(v4) => {
                bytes[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                bytes = v6.octets();
                6
            }
        };
        let bits = u128::from_be_bytes(bytes);
        self.0[at] = (bits >> 64) as i64;
        self.0[at + 1] = bits as i64;
        self.0[at + 2] = (family << 48) | (i64::from(port) << 32) | i64::from(scope);
    }
}

macro_rules! encode_numbers {
    ($($type:ty),*) => { $(
        impl Encode for $type {
            fn encode(&self, words: &mut Packed, at: usize) {
                words.0[at] = *self as i64;
            }
        }
    )* };
}
encode_numbers!(u8, u16, u32, u64, bool);
encode_numbers!(
    subflows::State,
    subflows::PathManager,
    subflows::SubflowState,
    subflows::Verdict,
    subflows::EventKind,
    subflows::SubflowOption,
    subflows::Severity,
    subflows::FindingKind
);

impl Encode for String {
    fn encode(&self, words: &mut Packed, at: usize) {
        words.text(at, self);
    }
}

impl Encode for KernelName {
    fn encode(&self, words: &mut Packed, at: usize) {
        words.text(at, self);
    }
}

impl Encode for IpAddr {
    fn encode(&self, words: &mut Packed, at: usize) {
        words.ends(at, *self, 0, 0);
    }
}

impl Encode for SocketAddr {
    fn encode(&self, words: &mut Packed, at: usize) {
        let scope = match self {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        words.ends(at, self.ip(), self.port(), scope);
    }
}

impl<R: Row> Encode for Vec<R> {
    fn encode(&self, words: &mut Packed, at: usize) {
        words.rows(at, self);
    }
}

/// A record inside a record is written to its place.
impl Encode for subflows::Info {
    fn encode(&self, words: &mut Packed, at: usize) {
        self.write(words, at);
    }
}

/// The options that Java passed: which are set, three words for each, and then the texts.
pub(crate) struct PackedOptions(Vec<i64>);

/// A value that can be read from its place. `None` if the words are inconsistent.
pub(crate) trait Decode: Sized {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self>;
}

impl PackedOptions {
    /// Reads the options of one call.
    pub(crate) fn options<T>(env: &Env<'_>, array: &JLongArray<'_>) -> Result<T, Failure>
    where
        T: for<'a> TryFrom<&'a PackedOptions, Error = Failure>,
    {
        T::try_from(&PackedOptions::read(env, array)?)
    }

    /// Reads a single value.
    pub(crate) fn value<T: Decode>(env: &Env<'_>, array: &JLongArray<'_>) -> Result<T, Failure> {
        T::decode(&PackedOptions::read(env, array)?, 0).ok_or(Failure::Corrupt)
    }

    /// Reads a list of addresses.
    pub(crate) fn addresses(
        env: &Env<'_>,
        array: &JLongArray<'_>,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let words = PackedOptions::read(env, array)?;
        let starts = (0..words.0.len()).step_by(3);
        let addresses = starts.map(|at| SocketAddr::decode(&words, at));
        addresses.collect::<Option<_>>().ok_or(Failure::Corrupt)
    }

    fn read(env: &Env<'_>, array: &JLongArray<'_>) -> Result<PackedOptions, Failure> {
        let mut words = vec![0; array.len(env)?];
        array.get_region(env, 0, &mut words)?;
        Ok(PackedOptions(words))
    }

    pub(crate) fn take<T: Decode>(&self, index: usize) -> Result<T, Failure> {
        self.maybe(index)?.ok_or(Failure::Corrupt)
    }

    pub(crate) fn maybe<T: Decode>(&self, index: usize) -> Result<Option<T>, Failure> {
        if (self.word(0)? >> index) & 1 == 0 {
            return Ok(None);
        }
        T::decode(self, 1 + 3 * index).map(Some).ok_or(Failure::Corrupt)
    }

    fn word(&self, at: usize) -> Result<i64, Failure> {
        self.0.get(at).copied().ok_or(Failure::Corrupt)
    }
}

macro_rules! decode_numbers {
    ($($type:ty),*) => { $(
        impl Decode for $type {
            fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
                Self::try_from(*given.0.get(at)?).ok()
            }
        }
    )* };
}
decode_numbers!(u8, u16, u32);

impl Decode for bool {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
        Some(*given.0.get(at)? != 0)
    }
}

impl Decode for Duration {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
        let [seconds, nanos] = *given.0.get(at..at + 2)? else { return None };
        Some(Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?))
    }
}

impl Decode for String {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
        let place = *given.0.get(at)?;
        let (start, length) = ((place >> 32) as usize, place as u32 as usize);
        let words = given.0.get(start..start.checked_add(length.div_ceil(8))?)?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.truncate(length);
        String::from_utf8(bytes).ok()
    }
}

impl Decode for IpAddr {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
        SocketAddr::decode(given, at).map(|address| address.ip())
    }
}

impl Decode for SocketAddr {
    fn decode(given: &PackedOptions, at: usize) -> Option<Self> {
        let [high, low, shape] = *given.0.get(at..at + 3)? else { return None };
        let (port, scope) = ((shape >> 32) as u16, shape as u32);
        let bits = (u128::from(high as u64) << 64) | u128::from(low as u64);
        Some(match shape >> 48 {
            4 => (Ipv4Addr::from_bits((bits >> 96) as u32), port).into(),
            6 => SocketAddrV6::new(Ipv6Addr::from_bits(bits), port, 0, scope).into(),
            _ => return None,
        })
    }
}
