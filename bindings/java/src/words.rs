//! Records and options as words, which cross the border in a single array.
//!
//! `bindings/generate/src/java/layout.rs` says where each field stands. What has no fixed length is one
//! word, its start and its length, and stands behind all rows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use jni::Env;
use jni::objects::JLongArray;
use subflows::Name;

use crate::error::Failure;

/// A record that can be written as a row.
pub(crate) trait Row {
    const WIDTH: usize;
    fn write(&self, words: &mut Words, at: usize);
}

/// A value that can be written in its place.
pub(crate) trait Put {
    fn put(&self, words: &mut Words, at: usize);
}

/// The words of one answer: where the rows are and how many, the rows, and what stands behind them.
pub(crate) struct Words(Vec<i64>);

impl Words {
    pub(crate) fn all<R: Row>(records: &[R]) -> Words {
        let mut words = Words(Vec::with_capacity(1 + records.len() * R::WIDTH));
        words.0.push(0);
        words.rows(0, records);
        words
    }

    pub(crate) fn only<R: Row>(record: &R) -> Words {
        Words::all(std::slice::from_ref(record))
    }

    /// A lone address.
    pub(crate) fn address(address: SocketAddr) -> Words {
        let mut words = Words(vec![0; 3]);
        address.put(&mut words, 0);
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

    pub(crate) fn put<T: Put>(&mut self, at: usize, value: &T) {
        value.put(self, at);
    }

    /// Puts what may be absent, and its bit into the first word of the row.
    pub(crate) fn maybe<T: Put>(&mut self, row: usize, bit: u32, at: usize, value: &Option<T>) {
        if let Some(value) = value {
            self.0[row] |= 1 << bit;
            value.put(self, at);
        }
    }

    fn rows<R: Row>(&mut self, at: usize, records: &[R]) {
        let start = self.behind(at, records.len(), records.len() * R::WIDTH);
        for (index, record) in records.iter().enumerate() {
            record.write(self, start + index * R::WIDTH);
        }
    }

    /// Makes place behind everything, for something of that length; gives where.
    fn behind(&mut self, at: usize, length: usize, words: usize) -> usize {
        let start = self.0.len();
        self.0[at] = ((start as i64) << 32) | length as i64;
        self.0.resize(start + words, 0);
        start
    }

    fn text(&mut self, at: usize, text: &str) {
        let start = self.behind(at, text.len(), text.len().div_ceil(8));
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

macro_rules! numbers {
    ($($type:ty),*) => { $(
        impl Put for $type {
            fn put(&self, words: &mut Words, at: usize) {
                words.0[at] = *self as i64;
            }
        }
    )* };
}
numbers!(u8, u16, u32, u64, bool);
numbers!(subflows::State, subflows::PathManager, subflows::SubflowState, subflows::EventKind);

impl Put for String {
    fn put(&self, words: &mut Words, at: usize) {
        words.text(at, self);
    }
}

impl Put for Name {
    fn put(&self, words: &mut Words, at: usize) {
        words.text(at, self);
    }
}

impl Put for IpAddr {
    fn put(&self, words: &mut Words, at: usize) {
        words.ends(at, *self, 0, 0);
    }
}

impl Put for SocketAddr {
    fn put(&self, words: &mut Words, at: usize) {
        let scope = match self {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        words.ends(at, self.ip(), self.port(), scope);
    }
}

impl<R: Row> Put for Vec<R> {
    fn put(&self, words: &mut Words, at: usize) {
        words.rows(at, self);
    }
}

/// A record inside a record stands where it belongs.
impl Put for subflows::Info {
    fn put(&self, words: &mut Words, at: usize) {
        self.write(words, at);
    }
}

/// Options as Java gave them: which are there, three words for each, and text behind them.
pub(crate) struct Given(Vec<i64>);

/// A value that can be read from its place; nothing where the words make no sense.
pub(crate) trait Take: Sized {
    fn take(given: &Given, at: usize) -> Option<Self>;
}

impl Given {
    /// Reads the options of one call.
    pub(crate) fn options<T>(env: &Env<'_>, array: &JLongArray<'_>) -> Result<T, Failure>
    where
        T: for<'a> TryFrom<&'a Given, Error = Failure>,
    {
        T::try_from(&Given::read(env, array)?)
    }

    /// Reads a single value.
    pub(crate) fn value<T: Take>(env: &Env<'_>, array: &JLongArray<'_>) -> Result<T, Failure> {
        T::take(&Given::read(env, array)?, 0).ok_or(Failure::Words)
    }

    fn read(env: &Env<'_>, array: &JLongArray<'_>) -> Result<Given, Failure> {
        let mut words = vec![0; array.len(env)?];
        array.get_region(env, 0, &mut words)?;
        Ok(Given(words))
    }

    pub(crate) fn take<T: Take>(&self, index: usize) -> Result<T, Failure> {
        self.maybe(index)?.ok_or(Failure::Words)
    }

    pub(crate) fn maybe<T: Take>(&self, index: usize) -> Result<Option<T>, Failure> {
        if (self.word(0)? >> index) & 1 == 0 {
            return Ok(None);
        }
        T::take(self, 1 + 3 * index).map(Some).ok_or(Failure::Words)
    }

    fn word(&self, at: usize) -> Result<i64, Failure> {
        self.0.get(at).copied().ok_or(Failure::Words)
    }
}

macro_rules! taken {
    ($($type:ty),*) => { $(
        impl Take for $type {
            fn take(given: &Given, at: usize) -> Option<Self> {
                Self::try_from(*given.0.get(at)?).ok()
            }
        }
    )* };
}
taken!(u16, u32);

impl Take for bool {
    fn take(given: &Given, at: usize) -> Option<Self> {
        Some(*given.0.get(at)? != 0)
    }
}

impl Take for Duration {
    fn take(given: &Given, at: usize) -> Option<Self> {
        let [seconds, nanos] = *given.0.get(at..at + 2)? else { return None };
        Some(Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?))
    }
}

impl Take for String {
    fn take(given: &Given, at: usize) -> Option<Self> {
        let place = *given.0.get(at)?;
        let (start, length) = ((place >> 32) as usize, place as u32 as usize);
        let words = given.0.get(start..start.checked_add(length.div_ceil(8))?)?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.truncate(length);
        String::from_utf8(bytes).ok()
    }
}

impl Take for IpAddr {
    fn take(given: &Given, at: usize) -> Option<Self> {
        SocketAddr::take(given, at).map(|address| address.ip())
    }
}

impl Take for SocketAddr {
    fn take(given: &Given, at: usize) -> Option<Self> {
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
