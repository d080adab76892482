//! Guards against: sentences that a reader has to guess at come back into comments, documents and error texts.
//!
//! The lists are of words that were found more than once, each with a plain one. Files that are generated follow from
//! others; the reports in `tests/upstream` and the history in CHANGELOG.md are left as they are.

use std::fs;
use std::path::{Path, PathBuf};

/// Words, and what to write instead. A word of letters alone is found as a whole word.
const WORDS: [(&str, &str); 14] = [
    ("whoever", "name the actor: the library, the caller, the kernel, the peer"),
    ("somebody", "name the actor"),
    ("for ever", "forever, or until what"),
    ("is told", "name what it receives, or which error it gets"),
    ("was told", "name what it received, or which error it got"),
    ("told of", "reported"),
    ("tells of", "reports"),
    ("told apart", "distinguished"),
    ("is no act", "is not an act"),
    ("no cancellation point", "not a cancellation point"),
    ("if it is none", "if it is not a …"),
    ("why it is none", "why it is not a …"),
    ("is to be had", "is available"),
    ("stands for", "represents, means"),
];
const ENDS: [&str; 12] =
    ["rs", "md", "py", "in", "rb", "java", "c", "h", "js", "mjs", "txt", "scenario"];
const FOLDERS: [&str; 3] = ["target", "node_modules", "upstream"];
const FILES: [&str; 2] = ["CHANGELOG.md", "words.rs"];

fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || name.starts_with('.') {
            continue;
        } else if path.is_dir() {
            if !FOLDERS.contains(&name.as_str()) {
                texts(&path, found);
            }
        } else if path.extension().is_some_and(|end| ENDS.iter().any(|known| *known == end))
            && !FILES.contains(&name.as_str())
        {
            found.push(path);
        }
    }
}

/// Whether the text has the word, not as part of another one.
fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let after = text[at + word.len()..].chars().next();
        !is_letter(text[..at].chars().next_back()) && !is_letter(after)
    })
}

#[test]
fn sentences_name_who_acts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    texts(&root, &mut files);
    assert!(files.len() > 500, "{} files", files.len());
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for (word, instead) in WORDS.iter().filter(|(word, _)| has_word(&line, word)) {
                let place = path.strip_prefix(&root).unwrap().display();
                wrong.push(format!("{place}:{}: {word}: write {instead}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
