//! Sentences with holes.

use std::str::FromStr;

use crate::trouble::{Result, Trouble, failed};

/// The words that fill the holes of a sentence, and what is expected to come of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    holes: Vec<(String, String)>,
    /// What stands behind the colon; empty where nothing does.
    pub expected: String,
}

impl Words {
    /// Fills the pattern's holes with the words of the text: `{name}` takes one word, `{name...}`
    /// at the end takes all that are left, also none.
    pub fn fill(pattern: &str, text: &str) -> Option<Words> {
        let (text, expected) = text.split_once(": ").unwrap_or((text, ""));
        let mut holes = Vec::new();
        let mut words = text.split(' ');
        for part in pattern.split(' ') {
            let hole = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            match hole.map(|hole| (hole, hole.strip_suffix("..."))) {
                Some((_, Some(name))) => {
                    let rest = words.by_ref().collect::<Vec<_>>().join(" ");
                    holes.push((name.to_owned(), rest));
                }
                Some((name, None)) => holes.push((name.to_owned(), words.next()?.to_owned())),
                None if words.next() == Some(part) => {}
                None => return None,
            }
        }
        let expected = expected.to_owned();
        words.next().is_none().then_some(Words { holes, expected })
    }

    /// How many words, and more, were not said by the pattern itself.
    pub fn holes(&self) -> usize {
        self.holes.iter().map(|(_, words)| words.split(' ').count()).sum()
    }

    /// What fills a hole.
    pub fn get(&self, name: &str) -> &str {
        let found = self.holes.iter().find(|(hole, _)| hole == name);
        found.map_or("", |(_, words)| words.trim_start_matches(", "))
    }

    /// What fills a hole, in its type.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.get(name);
        let wrong = || Trouble::Failed(format!("`{text}` makes no sense here"));
        text.trim_end_matches(',').parse().map_err(|_| wrong())
    }

    /// The parts of a hole that commas separate.
    pub fn parts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).split([',']).map(str::trim).filter(|part| !part.is_empty())
    }

    /// The kind of error that is expected: those begin with a capital letter.
    pub fn kind(&self) -> Option<&str> {
        let is_kind = self.expected.starts_with(|c: char| c.is_ascii_uppercase());
        (is_kind && !self.expected.contains('=')).then_some(self.expected.as_str())
    }

    /// The name under which what comes is kept.
    pub fn name(&self) -> Result<&str> {
        let is_name = !self.expected.is_empty() && !self.expected.contains(['=', ' ']);
        if is_name { Ok(&self.expected) } else { failed("give it a name, behind a colon") }
    }

    /// The fields whose values are expected.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.expected.split([',', ' ']).filter_map(|word| word.split_once('='))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled() {
        let pattern = "{actor} opens {sock} {how...}";
        let words = Words::fill(pattern, "client opens c from path 2, as backup: extra").unwrap();
        assert_eq!((words.get("actor"), words.get("sock")), ("client", "c"));
        assert_eq!(words.parts("how").collect::<Vec<_>>(), ["from path 2", "as backup"]);
        assert_eq!((words.name(), words.kind()), (Ok("extra"), None));
        let words = Words::fill(pattern, "client opens c: Refused").unwrap();
        assert_eq!((words.kind(), words.get("how")), (Some("Refused"), ""));
        assert_eq!(Words::fill(pattern, "client closes c"), None);
        assert_eq!(Words::fill("a {b} c", "a x c d"), None);
    }
}
