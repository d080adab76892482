//! The arguments of a step.

use std::str::FromStr;

use crate::step_error::{Result, StepError, failed};

/// The words of a step for the parameters of its sentence, and what the step expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    values: Vec<(String, String)>,
    /// The text after the colon; empty if the step has no colon.
    pub expected: String,
}

impl Arguments {
    /// Matches a text with a sentence: the parameter `{name}` matches one word, `{name...}` at the
    /// end all remaining words, or none. `subflow(s)` matches `subflow` and `subflows`.
    pub fn parse(pattern: &str, text: &str) -> Option<Arguments> {
        let (text, expected) = text.split_once(": ").unwrap_or((text, ""));
        let mut values = Vec::new();
        let mut words = text.split(' ');
        for part in pattern.split(' ') {
            let parameter = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            match parameter.map(|name| (name, name.strip_suffix("..."))) {
                Some((_, Some(name))) => {
                    let rest = words.by_ref().collect::<Vec<_>>().join(" ");
                    values.push((name.to_owned(), rest));
                }
                Some((name, None)) => values.push((name.to_owned(), words.next()?.to_owned())),
                None if words.next().is_some_and(|word| is_word(part, word)) => {}
                None => return None,
            }
        }
        let expected = expected.to_owned();
        words.next().is_none().then_some(Arguments { values, expected })
    }

    /// How many words the parameters matched.
    pub fn word_count(&self) -> usize {
        self.values.iter().map(|(_, words)| words.split(' ').count()).sum()
    }

    /// The text of a parameter.
    pub fn get(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(parameter, _)| parameter == name);
        found.map_or("", |(_, words)| words.trim_start_matches(", "))
    }

    /// The value of a parameter in its type.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.get(name);
        let wrong = || StepError::Failed(format!("cannot read `{text}`, the value of {name}"));
        text.trim_end_matches(',').parse().map_err(|_| wrong())
    }

    /// The parts of a text that are separated by commas.
    pub fn parts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name).split([',']).map(str::trim).filter(|part| !part.is_empty())
    }

    /// The kind of error that the step expects. Kinds begin with a capital letter.
    pub fn expected_error(&self) -> Option<&str> {
        let is_kind = self.expected.starts_with(|c: char| c.is_ascii_uppercase());
        (is_kind && !self.expected.contains('=')).then_some(self.expected.as_str())
    }

    /// The name that the step gives to the result.
    pub fn new_name(&self) -> Result<&str> {
        let is_name = !self.expected.is_empty() && !self.expected.contains(['=', ' ']);
        if is_name {
            Ok(&self.expected)
        } else {
            failed("the step must end with a colon and a name")
        }
    }

    /// The fields that the step expects, with their values.
    pub fn expected_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.expected.split([',', ' ']).filter_map(|word| word.split_once('='))
    }
}

/// Whether a word is the one of the sentence, whose ending in parentheses is optional.
fn is_word(expected: &str, word: &str) -> bool {
    match expected.strip_suffix(')').and_then(|expected| expected.split_once('(')) {
        Some((stem, ending)) => {
            word.strip_prefix(stem).is_some_and(|rest| ["", ending].contains(&rest))
        }
        None => expected == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_matched() {
        let sentence = "{actor} opens {sock} {how...}";
        let parsed = Arguments::parse(sentence, "client opens c from path 2, as backup: extra");
        let arguments = parsed.unwrap();
        assert_eq!((arguments.get("actor"), arguments.get("sock")), ("client", "c"));
        let parts: Vec<_> = arguments.parts("how").collect();
        assert_eq!(parts, ["from path 2", "as backup"]);
        assert_eq!((arguments.new_name(), arguments.expected_error()), (Ok("extra"), None));
        let arguments = Arguments::parse(sentence, "client opens c: Refused").unwrap();
        assert_eq!((arguments.expected_error(), arguments.get("how")), (Some("Refused"), ""));
        assert_eq!(Arguments::parse(sentence, "client closes c"), None);
        assert_eq!(Arguments::parse("a {b} c", "a x c d"), None);
        for text in ["1 subflow", "2 subflows"] {
            assert!(Arguments::parse("{count} subflow(s)", text).is_some(), "{text}");
        }
    }
}
