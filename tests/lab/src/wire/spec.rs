//! Paths as text, for command lines: `wifi:20ms:50mbit`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::WireOptions;

/// What the kernel allows in the name of an interface.
const NAME_BYTES_MAX: usize = 15;

/// A path as text: `NAME[:DELAY][:RATE][:LOSS]`, the parts after the name in any order.
///
/// | part | meaning | units | examples |
/// |---|---|---|---|
/// | name | the client's interface | | `wifi`, `lte` |
/// | delay | one-way, so that a round trip takes twice as long | `us` `ms` `s` | `20ms`, `0.5ms` |
/// | rate | each direction, in bits of Ethernet frames | `bit` `kbit` `mbit` `gbit` | `50mbit` |
/// | loss | each direction, by chance | `%` | `1%`, `0.2%` |
///
/// ```
/// use std::time::Duration;
/// let path: subflows_lab::PathSpec = "lte:60ms:20mbit:1%".parse().unwrap();
/// assert_eq!(path.name, "lte");
/// assert_eq!(path.options.delay, Duration::from_millis(60));
/// assert_eq!(path.options.rate_bits_per_second, Some(20_000_000));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PathSpec {
    /// The client's interface.
    pub name: String,
    /// What the wire does.
    pub options: WireOptions,
}

/// A text that is not a path. The message contains the text, the reason, and the accepted form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSpecError {
    spec: String,
    problem: String,
}

impl fmt::Display for PathSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PathSpecError { spec, problem } = self;
        write!(f, "`{spec}` is not a path: {problem}")?;
        f.write_str(" (a path is NAME[:DELAY][:RATE][:LOSS], such as wifi:20ms:50mbit:1%)")
    }
}

impl Error for PathSpecError {}

/// What one part after the name sets.
enum Part {
    Delay(Duration),
    Rate(u64),
    Loss(f64),
}

impl FromStr for PathSpec {
    type Err = PathSpecError;

    fn from_str(spec: &str) -> Result<PathSpec, PathSpecError> {
        let failed = |problem| PathSpecError { spec: spec.to_owned(), problem };
        let mut words = spec.split(':');
        let name = words.next().unwrap_or_default();
        check_name(name).map_err(failed)?;
        let mut options = WireOptions::default();
        let (mut has_delay, mut has_rate, mut has_loss) = (false, false, false);
        for word in words {
            let (seen, what) = match part(word).map_err(failed)? {
                Part::Delay(delay) => {
                    options.delay = delay;
                    (&mut has_delay, "delay")
                }
                Part::Rate(rate) => {
                    options.rate_bits_per_second = Some(rate);
                    (&mut has_rate, "rate")
                }
                Part::Loss(loss) => {
                    options.loss = loss;
                    (&mut has_loss, "loss")
                }
            };
            if std::mem::replace(seen, true) {
                return Err(failed(format!("`{word}` is a second {what}; use one")));
            }
        }
        Ok(PathSpec { name: name.to_owned(), options })
    }
}

/// Checks the name of a client's interface. The error is the reason.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Err("it has no name; begin with a name, such as `wifi`".to_owned())
    } else if name.len() > NAME_BYTES_MAX {
        Err(format!("the name `{name}` is too long; use at most {NAME_BYTES_MAX} bytes"))
    } else if let Some(odd) = name.chars().find(|c| is_odd(*c)) {
        Err(format!("the name contains `{odd}`; use letters, digits, - and _"))
    } else if ["lo", "all", "default", ".", ".."].contains(&name) || name.starts_with('-') {
        Err(format!("an interface cannot have the name `{name}`; use another name, such as `wifi`"))
    } else {
        Ok(())
    }
}

fn part(word: &str) -> Result<Part, String> {
    let is_unit = |c: char| !c.is_ascii_digit() && c != '.';
    let (digits, unit) = word.split_at(word.find(is_unit).unwrap_or(word.len()));
    let number = digits.parse::<f64>().map_err(|_| {
        format!("`{word}` does not begin with a number; use a form such as 20ms, 50mbit or 1%")
    })?;
    match unit.to_ascii_lowercase().as_str() {
        "us" | "µs" => delay(word, number / 1e6),
        "ms" => delay(word, number / 1e3),
        "s" => delay(word, number),
        "bit" => rate(word, number),
        "kbit" => rate(word, number * 1e3),
        "mbit" => rate(word, number * 1e6),
        "gbit" => rate(word, number * 1e9),
        "%" if number <= 100.0 => Ok(Part::Loss(number / 100.0)),
        "%" => Err(format!("`{word}` is too large; a loss is 0% to 100%")),
        "" => Err(format!("`{word}` has no unit; add ms for a delay, mbit for a rate, % for loss")),
        _ => Err(format!(
            "`{unit}` in `{word}` is not a unit; use us, ms, s for a delay, \
             bit, kbit, mbit, gbit for a rate, % for loss"
        )),
    }
}

fn delay(word: &str, seconds: f64) -> Result<Part, String> {
    if seconds > 60.0 {
        return Err(format!("the delay `{word}` is too long; use at most 60s"));
    }
    Ok(Part::Delay(Duration::from_secs_f64(seconds)))
}

fn rate(word: &str, bits_per_second: f64) -> Result<Part, String> {
    // Below, one frame takes longer than a TCP timeout; above, the arithmetic of time overflows.
    if !(1e3..=1e11).contains(&bits_per_second) {
        return Err(format!("the rate `{word}` is out of range; use 1kbit to 100gbit"));
    }
    Ok(Part::Rate(bits_per_second as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str) -> WireOptions {
        spec.parse::<PathSpec>().unwrap().options
    }

    #[test]
    fn parts_may_come_in_any_order_or_not_at_all() {
        let full = WireOptions {
            delay: Duration::from_millis(60),
            rate_bits_per_second: Some(20_000_000),
            loss: 0.01,
            ..WireOptions::default()
        };
        assert_eq!(parse("lte:60ms:20mbit:1%"), full);
        assert_eq!(parse("lte:1%:20Mbit:60ms"), full);
        assert_eq!(parse("lte:20000kbit:0.06s:1.0%"), full);
        assert_eq!(parse("wifi"), WireOptions::default());
        assert_eq!(parse("a:500us").delay, Duration::from_micros(500));
        assert_eq!(parse("a:1.5gbit").rate_bits_per_second, Some(1_500_000_000));
    }

    #[test]
    fn errors_name_the_word_and_the_way_out() {
        let error = |spec: &str| spec.parse::<PathSpec>().unwrap_err().to_string();
        for (spec, expected) in [
            ("", "has no name"),
            (":20ms", "has no name"),
            ("a-very-long-name:20ms", "too long"),
            ("wi fi", "contains ` `"),
            ("lo", "another name"),
            ("wifi:20", "no unit"),
            ("wifi:20parsec", "`parsec`"),
            ("wifi:fast", "does not begin with a number"),
            ("wifi:", "does not begin with a number"),
            ("wifi:1.2.3ms", "does not begin with a number"),
            ("wifi:200%", "0% to 100%"),
            ("wifi:20ms:30ms", "second delay"),
            ("wifi:0mbit", "out of range"),
            ("wifi:3600s", "at most 60s"),
        ] {
            assert!(error(spec).contains(expected), "{spec}: {}", error(spec));
        }
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics(spec in ".{0,30}", tail in "(:[0-9.]{1,400}(ms|s|mbit|%))?") {
            let _ = format!("{spec}{tail}").parse::<PathSpec>();
        }
    }
}
