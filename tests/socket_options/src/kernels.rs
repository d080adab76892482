//! What other kernels answer. The program prints it on each of them, and it is kept in the folder `kernels`, in a
//! file for each series of kernels.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::page::{Answer, answers, release};

/// Before each line of what the program prints: the log of the kernel has other lines as well.
const MARK: &str = "option: ";

/// Where they are kept.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

/// `6.12` of `6.12.74`.
fn series(release: &str) -> String {
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// What this kernel answers, as it is kept: its release, and a line for each option.
pub fn measured() -> io::Result<String> {
    let mut text = format!("{MARK}{}\n", release()?);
    for Answer { section, option, get, set } in answers()? {
        writeln!(text, "{MARK}{section}\t{option}\t{get}\t{set}").expect("a String takes all");
    }
    Ok(text)
}

/// Keeps what another kernel answered, from its log. Returns whether the log has it, and its kernel is another
/// one than the running one.
pub fn keep(folder: &Path, log: &str) -> io::Result<bool> {
    // The console ends its lines as terminals do.
    let lines = log.lines().filter_map(|line| line.trim_end().strip_prefix(MARK));
    let lines: Vec<_> = lines.collect();
    let Some(of) = lines.first().map(|release| series(release)) else { return Ok(false) };
    if of == series(&release()?) {
        return Ok(false);
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join(of + ".tsv"), lines.join("\n") + "\n")?;
    Ok(true)
}

/// The answers of a kernel: getting and setting, by section and option.
pub(crate) type Answers = BTreeMap<(String, String), [String; 2]>;

fn parsed(line: &str) -> Option<((String, String), [String; 2])> {
    let [section, option, get, set] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    Some(((section.to_owned(), option.to_owned()), [get.to_owned(), set.to_owned()]))
}

/// The answers in what the program printed.
pub(crate) fn answers_in(text: &str) -> Answers {
    text.lines().filter_map(|line| parsed(line.strip_prefix(MARK)?)).collect()
}

/// The kernels that were kept, the oldest first, with their releases.
fn kept(folder: &Path) -> io::Result<Vec<(String, Answers)>> {
    let mut kernels = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(kernels) };
    for entry in entries {
        let text = fs::read_to_string(entry?.path())?;
        let mut lines = text.lines();
        let release = lines.next().unwrap_or_default().to_owned();
        kernels.push((release, lines.filter_map(parsed).collect()));
    }
    let numbers = |release: &str| -> Vec<u32> {
        release.split('.').map_while(|number| number.parse().ok()).collect()
    };
    kernels.sort_by_key(|(release, _)| numbers(release));
    Ok(kernels)
}

/// The section about the options that other kernels answer differently; nothing if none was kept.
pub(crate) fn section(folder: &Path, here: &[Answer]) -> io::Result<String> {
    let kernels = kept(folder)?;
    if kernels.is_empty() {
        return Ok(String::new());
    }
    let releases: Vec<_> = kernels.iter().map(|(release, _)| release.as_str()).collect();
    let mut text = format!(
        "\n## Other kernels\n\nThe options that Multipath TCP sockets of other kernels answer differently: what \
         getting does, then what setting does. A cell without text: as on Linux {own}.\n\n\
         | level | option | {own} | {} |\n|---|---|---|{}\n",
        releases.join(" | "),
        "---|".repeat(releases.len()),
        own = release()?,
    );
    for Answer { section, option, get, set } in here {
        let key = (section.to_string(), option.to_string());
        let other = |answers: &Answers| match answers.get(&key) {
            Some([other_get, other_set]) if (other_get, other_set) != (get, set) => {
                format!("{other_get} / {other_set}")
            }
            _ => String::new(),
        };
        let cells: Vec<_> = kernels.iter().map(|(_, answers)| other(answers)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let cells = cells.join(" | ");
            writeln!(text, "| {section} | `{option}` | {get} / {set} | {cells} |")
                .expect("a String takes all");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use subflows_lab::{Namespace, skip_unless_ready};

    #[test]
    fn what_another_kernel_answers_differently_is_shown() {
        skip_unless_ready!();
        let _inside = Namespace::new().unwrap().enter().unwrap();
        let here = measured().unwrap();
        let own = release().unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(!keep(folder.path(), &here).unwrap(), "this kernel is not another one");
        assert!(!keep(folder.path(), "no options\n").unwrap());
        assert_eq!(section(folder.path(), &answers().unwrap()).unwrap(), "");

        let nodelay = "option: IPPROTO_TCP\tTCP_NODELAY\tok\tset\n";
        assert!(here.contains(nodelay));
        let log = here
            .replace(&format!("{MARK}{own}\n"), "== socket-options\r\noption: 3.10.7\r\n")
            .replace(nodelay, "option: IPPROTO_TCP\tTCP_NODELAY\tok\tEINVAL\r\n");
        assert!(keep(folder.path(), &log).unwrap());
        assert!(keep(folder.path(), &log.replace("3.10.7", "3.9.1")).unwrap());
        let shown = section(folder.path(), &answers().unwrap()).unwrap();
        let table: Vec<_> = shown.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(
            table,
            [
                &format!("| level | option | {own} | 3.9.1 | 3.10.7 |"),
                "|---|---|---|---|---|",
                "| IPPROTO_TCP | `TCP_NODELAY` | ok / set | ok / EINVAL | ok / EINVAL |",
            ]
        );
    }
}
