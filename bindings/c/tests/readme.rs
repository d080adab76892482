//! Without it, the C program in the README does not compile.

mod common;

use common::{compiler, linked, root};

#[test]
fn the_readmes_program_compiles() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```c\n").expect("a program in C");
    let (text, _) = rest.split_once("```").expect("its end");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("download.c");
    std::fs::write(&source, text).unwrap();
    linked(&mut compiler("gcc", "c11"), &source, folder.path().join("download"));
}
