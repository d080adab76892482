//! Without these, a program in C or C++ that only includes the header does not compile.

mod common;

use std::path::Path;

use common::{compiler, root, run};

const STANDARDS: [(&str, &str); 5] =
    [("gcc", "c99"), ("gcc", "c11"), ("gcc", "c17"), ("g++", "c++11"), ("g++", "c++17")];

fn compiles(name: &str, standard: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let extension = if name == "g++" { "cc" } else { "c" };
    let source = folder.path().join("source").with_extension(extension);
    std::fs::write(&source, text).unwrap();
    run(compiler(name, standard).arg("-fsyntax-only").arg(&source));
}

#[test]
fn it_compiles_in_every_standard_and_beside_the_kernels() {
    let heads = [
        "#include <subflows.h>\n",
        "#include <linux/mptcp.h>\n#include <subflows.h>\n#include <netinet/tcp.h>\n",
        "#include <subflows.h>\n#include <netinet/tcp.h>\n#include <linux/mptcp.h>\n",
    ];
    for (name, standard) in STANDARDS {
        for head in heads {
            let text = format!("{head}int main(void) {{ return subflows_close(-1, 0) == 0; }}\n");
            compiles(name, standard, &text);
        }
    }
}

/// A compiler that lays out a struct differently from `abi.txt`.
#[test]
fn every_member_stands_where_it_is_promised() {
    let text = std::fs::read_to_string(Path::new(&root()).join("bindings/c/tests/abi.c")).unwrap();
    for (name, standard) in [("gcc", "c11"), ("gcc", "c17"), ("g++", "c++17")] {
        compiles(name, standard, &text);
    }
}
