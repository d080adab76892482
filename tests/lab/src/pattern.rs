//! Known bytes: the same in every run and on every machine, so that a receiver can check them.

use std::sync::OnceLock;

/// The most bytes that [`pattern`] returns at once.
pub const CHUNK: usize = 64 << 10;

/// The number of bytes after which the pattern repeats. It is a prime larger than a chunk, so that
/// a misplaced segment or buffer never matches the expected bytes.
const PERIOD: usize = 65_539;

/// Returns the `len` bytes of an endless pattern that begin at `offset`, at most [`CHUNK`].
///
/// ```
/// use subflows_lab::pattern;
/// assert_eq!(pattern(3, 2), &pattern(0, 5)[3..]);
/// ```
pub fn pattern(offset: u64, len: usize) -> &'static [u8] {
    static TWO_PERIODS: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = TWO_PERIODS.get_or_init(|| {
        let mut period = vec![0; PERIOD];
        Random::new(0).fill(&mut period);
        period.repeat(2)
    });
    let start = (offset % PERIOD as u64) as usize;
    &bytes[start..start + len.min(CHUNK)]
}

/// SplitMix64, a random number generator that is small and fast. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts a sequence; equal seeds start equal sequences.
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// Returns the next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns the next number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Fills `bytes` with the next numbers, eight bytes each.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            word.copy_from_slice(&random[..word.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_the_same_from_any_offset() {
        let whole = pattern(0, 100);
        for offset in 0..50 {
            assert_eq!(pattern(offset as u64, 50), &whole[offset..offset + 50]);
        }
        let end = PERIOD as u64 - 1;
        assert_eq!(pattern(end, CHUNK + 1)[1..], *pattern(0, CHUNK - 1));
    }

    /// The reference values of SplitMix64 for the seed 1234567.
    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let numbers = [(); 3].map(|()| random.next_u64());
        let expected =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, expected);
    }
}
