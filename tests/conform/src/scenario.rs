//! Files of plain words: a sentence that says what would be broken, then one step a line.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place::Family;

/// A file of steps.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name, without what tells that it is a scenario.
    pub name: String,
    /// Where it is, for people.
    pub path: PathBuf,
    /// What would be broken if it did not hold.
    pub broken: String,
    axes: Vec<Axis>,
    steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its first line in the file.
    pub line: usize,
    /// Its words.
    pub text: String,
}

/// Everything is played for each of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis {
    name: String,
    values: Vec<String>,
}

/// A scenario with a value for each of its variables.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The values, for people; empty where there are no variables.
    pub title: String,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Variant {
    /// Whether sockets of IPv6 are made in it.
    pub fn needs_v6(&self) -> bool {
        let mut families = self.steps.iter().filter_map(|step| {
            let (_, family) = step.text.split_once(" over ")?;
            family.split([' ', ':']).next()?.parse::<Family>().ok()
        });
        families.any(|family| family.of_socket() == "v6")
    }
}

const ENDING: &str = "scenario";
const BROKEN: &str = "Broken without this: ";

impl Scenario {
    /// All scenarios of a folder whose name begins with that, in order.
    pub fn all(folder: &Path, prefix: &str) -> Result<Vec<Scenario>, String> {
        let entries =
            fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
        paths.retain(|path| name(path).starts_with(prefix));
        paths.sort();
        paths.iter().map(|path| Scenario::read(path)).collect()
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Scenario, String> {
        let shown = Path::new("tests/scenarios").join(path.file_name().unwrap_or_default());
        let wrong = |text: String| format!("{}: {text}", shown.display());
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut scenario = Scenario::parse(&text).map_err(wrong)?;
        scenario.name = name(path);
        scenario.path = shown;
        Ok(scenario)
    }

    fn parse(text: &str) -> Result<Scenario, String> {
        let comment = text.lines().map_while(|line| line.strip_prefix('#'));
        let comment: Vec<_> = comment.map(str::trim).collect();
        let comment = comment.join(" ");
        let broken = comment.strip_prefix(BROKEN).ok_or_else(|| {
            format!("the first line must say what would be broken: # {BROKEN}...")
        })?;
        let (mut axes, mut steps) = (Vec::new(), Vec::<Step>::new());
        for (index, line) in text.lines().enumerate() {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                let before = steps.last_mut().ok_or("the first step is indented")?;
                before.text = format!("{} {words}", before.text);
            } else if let Some(axis) = words.strip_prefix("for each ") {
                let (name, values) =
                    axis.split_once(": ").ok_or("write: for each NAME: VALUE, VALUE")?;
                let values = values.split(", ").map(str::to_owned).collect();
                axes.push(Axis { name: name.to_owned(), values });
            } else {
                steps.push(Step { line: index + 1, text: words });
            }
        }
        let (name, path) = (String::new(), PathBuf::new());
        Ok(Scenario { name, path, broken: broken.to_owned(), axes, steps })
    }

    /// The steps, once for each combination of the variables' values.
    pub fn variants(&self) -> Vec<Variant> {
        let mut variants = vec![Variant { title: String::new(), steps: self.steps.clone() }];
        for axis in &self.axes {
            let with = |variant: &Variant, value: &String| {
                let hole = format!("{{{}}}", axis.name);
                let steps = variant
                    .steps
                    .iter()
                    .map(|step| Step { line: step.line, text: step.text.replace(&hole, value) });
                let before = if variant.title.is_empty() { "" } else { ", " };
                let title = format!("{}{before}{value}", variant.title);
                Variant { title, steps: steps.collect() }
            };
            let each = variants
                .iter()
                .flat_map(|variant| axis.values.iter().map(move |value| with(variant, value)));
            variants = each.collect();
        }
        variants
    }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Broken without this: all\n# of it.\n\nfor each a: 1, 2\nfor each b: x y\n\
                        network {b}\n# why\nclient\n  sees {a}\n";

    #[test]
    fn a_file_is_read() {
        let scenario = Scenario::parse(TEXT).unwrap();
        assert_eq!(scenario.broken, "all of it.");
        let variants = scenario.variants();
        let titles: Vec<_> = variants.iter().map(|variant| variant.title.as_str()).collect();
        assert_eq!(titles, ["1, x y", "2, x y"]);
        assert_eq!(variants[1].steps[0], Step { line: 6, text: "network x y".to_owned() });
        assert_eq!(variants[1].steps[1], Step { line: 8, text: "client sees 2".to_owned() });
    }

    #[test]
    fn what_needs_v6() {
        let text = "# Broken without this: it.\n\nfor each f: v4, mapped\nnetwork wires over 2\n\
                    client connects over {f}: c\n";
        let variants = Scenario::parse(text).unwrap().variants();
        assert_eq!(variants.iter().map(Variant::needs_v6).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn the_sentence_must_be_there() {
        assert!(Scenario::parse("network laptop\n").unwrap_err().contains("broken"));
    }
}
