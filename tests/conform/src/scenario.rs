//! Scenario files: a comment that names the failure, then one step per line. See
//! tests/scenarios/README.md.

use std::fs;
use std::path::{Path, PathBuf};

use crate::family::Family;

/// A scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name of the file without its extension.
    pub name: String,
    /// Its path, for the report.
    pub path: PathBuf,
    /// The failure that it guards against.
    pub failure: String,
    variables: Vec<Variable>,
    steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of its first line in the file.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// A variable: the scenario is played for each of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    values: Vec<String>,
}

/// A scenario with one value for each of its variables.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The values, for the report; empty if the scenario has no variables.
    pub title: String,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Variant {
    /// Whether a step creates IPv6 sockets.
    pub fn needs_v6(&self) -> bool {
        let mut families = self.steps.iter().filter_map(|step| {
            let (_, family) = step.text.split_once(" over ")?;
            family.split([' ', ':']).next()?.parse::<Family>().ok()
        });
        families.any(|family| family.of_socket() == "v6")
    }
}

const ENDING: &str = "scenario";
const FAILURE: &str = "Guards against: ";

impl Scenario {
    /// All scenarios of a folder whose names begin with `prefix`, in order.
    pub fn all(folder: &Path, prefix: &str) -> Result<Vec<Scenario>, String> {
        let entries =
            fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
        paths.retain(|path| name(path).starts_with(prefix));
        paths.sort();
        paths.iter().map(|path| Scenario::read(path)).collect()
    }

    /// Reads a scenario file.
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
        let failure = comment
            .strip_prefix(FAILURE)
            .ok_or_else(|| format!("the first line must name the failure: # {FAILURE}..."))?;
        let (mut variables, mut steps) = (Vec::new(), Vec::<Step>::new());
        for (index, line) in text.lines().enumerate() {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                let last = steps.last_mut().ok_or("the first step is indented")?;
                last.text = format!("{} {words}", last.text);
            } else if let Some(variable) = words.strip_prefix("for each ") {
                let (name, values) =
                    variable.split_once(": ").ok_or("write: for each NAME: VALUE, VALUE")?;
                let values = values.split(", ").map(str::to_owned).collect();
                variables.push(Variable { name: name.to_owned(), values });
            } else {
                steps.push(Step { line: index + 1, text: words });
            }
        }
        let (name, path) = (String::new(), PathBuf::new());
        Ok(Scenario { name, path, failure: failure.to_owned(), variables, steps })
    }

    /// The steps, once for each combination of the variables' values.
    pub fn variants(&self) -> Vec<Variant> {
        let mut variants = vec![Variant { title: String::new(), steps: self.steps.clone() }];
        for variable in &self.variables {
            let with = |variant: &Variant, value: &String| {
                let placeholder = format!("{{{}}}", variable.name);
                let steps = variant.steps.iter().map(|step| Step {
                    line: step.line,
                    text: step.text.replace(&placeholder, value),
                });
                let separator = if variant.title.is_empty() { "" } else { ", " };
                let title = format!("{}{separator}{value}", variant.title);
                Variant { title, steps: steps.collect() }
            };
            let each = variants
                .iter()
                .flat_map(|variant| variable.values.iter().map(move |value| with(variant, value)));
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

    const TEXT: &str = "# Guards against: all\n# of it.\n\nfor each a: 1, 2\nfor each b: x y\n\
                        network {b}\n# why\nclient\n  sees {a}\n";

    #[test]
    fn a_file_is_parsed() {
        let scenario = Scenario::parse(TEXT).unwrap();
        assert_eq!(scenario.failure, "all of it.");
        let variants = scenario.variants();
        let titles: Vec<_> = variants.iter().map(|variant| variant.title.as_str()).collect();
        assert_eq!(titles, ["1, x y", "2, x y"]);
        assert_eq!(variants[1].steps[0], Step { line: 6, text: "network x y".to_owned() });
        assert_eq!(variants[1].steps[1], Step { line: 8, text: "client sees 2".to_owned() });
    }

    #[test]
    fn variants_that_need_v6() {
        let text = "# Guards against: it.\n\nfor each f: v4, mapped\nnetwork wires over 2\n\
                    client connects over {f}: c\n";
        let variants = Scenario::parse(text).unwrap().variants();
        assert_eq!(variants.iter().map(Variant::needs_v6).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn the_failure_is_required() {
        assert!(Scenario::parse("network laptop\n").unwrap_err().contains("failure"));
    }
}
