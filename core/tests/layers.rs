//! Guards against: a shared reading uses a verb, or a door uses a wait, so that no layer can be moved or
//! replaced by itself.

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest. A layer uses those below it.
const LAYERS: [&str; 5] = ["sys", "shared", "door", "wait", "verb"];
/// What every layer may use.
const EVERYWHERE: [&str; 6] = ["cause", "error", "kernel_name", "table", "Error", "ErrorKind"];
/// Above all layers: the lists of all items, and what uses the whole of core.
const ROOF: [&str; 5] = ["bare", "lib", "kernel", "surface", "tokio"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lists = entries.map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    lists.flatten().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// The names behind `crate::` in code, with the line and what follows the name.
fn used(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.match_indices("crate::").map(move |(at, _)| (line, &line[at + 7..])))
        .map(|(line, rest)| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (line, &rest[..end], &rest[end..])
        })
}

#[test]
fn arrows_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let level = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let place = path.strip_prefix(&root).unwrap();
        let first = place.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let text = fs::read_to_string(&path).unwrap();
        // A test may use the whole.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (line, name, rest) in used(code) {
            let is_good = match (level(first), level(name)) {
                _ if ROOF.contains(&first) || EVERYWHERE.contains(&name) => true,
                // A verb uses no other verb. It refers to its own folder by `super`.
                (Some(layer), Some(below)) if LAYERS[layer] == "verb" => below < layer,
                (Some(layer), Some(below)) => below <= layer,
                // `cause`, `error`, `kernel_name` and `table` use no layer.
                (None, Some(_)) => false,
                _ => ROOF.contains(&name),
            };
            if !is_good {
                wrong.push(format!("{}: {name}{rest} ({})", place.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Within its folder, too, a verb must not use another verb: `super` of `verb/list.rs` is all verbs.
#[test]
fn no_verb_reaches_another_by_super() {
    let verbs = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verb");
    for path in sources(&verbs) {
        let place = path.strip_prefix(&verbs).unwrap();
        let is_inside = place.components().count() > 1 && !place.ends_with("mod.rs");
        let reaches_out = if is_inside { "super::super" } else { "super::" };
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        assert!(!code.contains(reaches_out), "{}: {reaches_out}", place.display());
    }
}

#[test]
fn every_floor_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for layer in LAYERS {
        assert!(root.join(layer).join("mod.rs").is_file(), "{layer}");
    }
}

/// So that a door can be a process of its own, which gets nothing but bytes and descriptors.
#[test]
fn the_trait_of_doors_names_no_type_of_sys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(root.join("door/mod.rs")).unwrap();
    let names: Vec<&str> = used(&text).map(|(_, name, _)| name).collect();
    assert!(!names.is_empty() && !names.contains(&"sys"), "{names:?}");
}
