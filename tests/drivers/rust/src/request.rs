//! Requests: a verb, then `key=value` words.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::answer::Fault;

/// One line of the runner.
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
        let words =
            words.ok_or_else(|| Fault::protocol(format!("cannot parse the line: {line}")))?;
        Ok(Request { verb, words })
    }

    /// The verb.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The text of a required key.
    pub fn text(&self, key: &str) -> Result<&str, Fault> {
        self.maybe_text(key)
            .ok_or_else(|| Fault::protocol(format!("{} requires {key}=", self.verb)))
    }

    /// The text of an optional key.
    pub fn maybe_text(&self, key: &str) -> Option<&str> {
        self.words.get(key).map(String::as_str)
    }

    /// The value of a required key.
    pub fn value<T: FromStr<Err: Display>>(&self, key: &str) -> Result<T, Fault> {
        let text = self.text(key)?;
        text.parse().map_err(|error| Fault::protocol(format!("{key}={text}: {error}")))
    }

    /// The value of an optional key.
    pub fn maybe<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, Fault> {
        self.maybe_text(key).map(|_| self.value(key)).transpose()
    }

    /// Whether the value is `true`; false if the key is missing.
    pub fn is(&self, key: &str) -> Result<bool, Fault> {
        Ok(self.maybe(key)?.unwrap_or(false))
    }
}
