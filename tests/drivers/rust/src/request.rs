//! One line of the runner's: a verb, then `key=value` words.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::answer::Fault;

/// What is asked.
#[derive(Debug)]
pub struct Request {
    verb: String,
    words: HashMap<String, String>,
}

impl Request {
    pub(crate) fn parse(line: &str) -> Result<Request, Fault> {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default().to_owned();
        let pair = |word: &str| {
            let (key, value) = word.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            Some((key.to_owned(), value.into_owned()))
        };
        let words = words.map(pair).collect::<Option<_>>();
        let words = words.ok_or_else(|| Fault::protocol(format!("cannot read: {line}")))?;
        Ok(Request { verb, words })
    }

    /// The verb.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// A word that must be there.
    pub fn text(&self, key: &str) -> Result<&str, Fault> {
        self.maybe_text(key).ok_or_else(|| Fault::protocol(format!("{} has no {key}=", self.verb)))
    }

    /// A word that may be there.
    pub fn maybe_text(&self, key: &str) -> Option<&str> {
        self.words.get(key).map(String::as_str)
    }

    /// A value that must be there.
    pub fn value<T: FromStr<Err: Display>>(&self, key: &str) -> Result<T, Fault> {
        let text = self.text(key)?;
        text.parse().map_err(|error| Fault::protocol(format!("{key}={text}: {error}")))
    }

    /// A value that may be there.
    pub fn maybe<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, Fault> {
        self.maybe_text(key).map(|_| self.value(key)).transpose()
    }

    /// Whether it is said to be so.
    pub fn is(&self, key: &str) -> Result<bool, Fault> {
        Ok(self.maybe(key)?.unwrap_or(false))
    }
}
