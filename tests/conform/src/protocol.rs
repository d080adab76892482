//! Requests and answers, each of one line: see PROTOCOL.md.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::step_error::{Result, failed};

/// Characters that are written as `%XX`.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A request to a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    verb: String,
    words: Vec<(String, String)>,
    is_for_child: bool,
}

impl Request {
    /// A verb without values.
    pub fn new(verb: &str) -> Request {
        Request { verb: verb.to_owned(), words: Vec::new(), is_for_child: false }
    }

    /// With one more value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Request {
        self.words.push((key.to_owned(), value.to_string()));
        self
    }

    /// The same request to a child of the driver.
    #[must_use]
    pub fn in_child(mut self) -> Request {
        self.is_for_child = true;
        self
    }

    /// The verbs that the driver must offer for it.
    pub fn verbs(&self) -> impl Iterator<Item = &str> {
        [self.verb.as_str()].into_iter().chain(self.is_for_child.then_some("fork"))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.words.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_for_child {
            f.write_str("fork ")?;
        }
        f.write_str(&self.verb)?;
        let encoded = |value| utf8_percent_encode(value, ENCODED);
        self.words.iter().try_for_each(|(key, value)| write!(f, " {key}={}", encoded(value)))
    }
}

/// The fields of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The text of a field, if the answer has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a required field in its type.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T> {
        match self.get(name).map(str::parse) {
            Some(Ok(value)) => Ok(value),
            Some(Err(_)) => failed(format!("cannot read {name} in: {self}")),
            None => failed(format!("missing {name} in: {self}")),
        }
    }

    /// The records of a list.
    pub fn list(&self) -> Result<Vec<Fields>> {
        let count: usize = self.value("count")?;
        let of = |number: usize| {
            let prefix = format!("{number}.");
            let inner = self.0.iter().filter_map(|(name, value)| {
                Some((name.strip_prefix(&prefix)?.to_owned(), value.clone()))
            });
            Fields(inner.collect())
        };
        Ok((0..count).map(of).collect())
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ok")?;
        self.0.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// The answer of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Success.
    Ok(Fields),
    /// Failure: the kind of error, and the kernel's error number or 0.
    Err(String, i32),
}

impl Answer {
    /// Parses a line.
    pub fn parse(line: &str) -> Option<Answer> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = rest.split(' ').filter(|word| !word.is_empty());
        match first {
            "ok" => {
                let pair = |word: &str| {
                    let (key, value) = word.split_once('=')?;
                    let value = percent_decode_str(value).decode_utf8().ok()?;
                    Some((key.to_owned(), value.into_owned()))
                };
                Some(Answer::Ok(Fields(words.map(pair).collect::<Option<_>>()?)))
            }
            "err" => {
                let (kind, errno) = rest.split_once(' ')?;
                Some(Answer::Err(kind.to_owned(), errno.parse().ok()?))
            }
            _ => None,
        }
    }

    /// The fields of a success; a failure fails the step.
    pub fn done(self) -> Result<Fields> {
        match self {
            Answer::Ok(fields) => Ok(fields),
            Answer::Err(kind, errno) => failed(format!("err {kind} {errno}")),
        }
    }

    /// The kind of error, if it is one.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Answer::Ok(_) => None,
            Answer::Err(kind, _) => Some(kind),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Ok(fields) => fields.fmt(f),
            Answer::Err(kind, errno) => write!(f, "err {kind} {errno}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded() {
        let request = Request::new("open").with("sock", "c").with("interface", "a b%\0");
        assert_eq!(request.to_string(), "open sock=c interface=a%20b%25%00");
        assert!(request.clone().in_child().to_string().starts_with("fork open "));
    }

    #[test]
    fn answers_are_parsed() {
        let answer = Answer::parse("ok count=2 0.id=1 1.id=7 1.x=a%20b").unwrap();
        let list = answer.done().unwrap().list().unwrap();
        assert_eq!(list[1].value::<u32>("id"), Ok(7));
        assert_eq!(list[1].get("x"), Some("a b"));
        assert_eq!(Answer::parse("err Refused 111"), Some(Answer::Err("Refused".into(), 111)));
        for invalid in ["", "okay", "err Refused", "err Refused x", "ok a"] {
            assert_eq!(Answer::parse(invalid), None, "{invalid}");
        }
    }
}
