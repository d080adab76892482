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
fn it_compiles_in_every_standard_and_together_with_the_kernels_header() {
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
    // The header for foreign function interfaces lays out everything in the same way.
    let builtin = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n";
    let text = text.replace("<subflows.h>", "<subflows_ffi.h>");
    assert!(text.contains("#include <subflows_ffi.h>"));
    compiles("gcc", "c11", &format!("{builtin}{text}"));
}

/// A parser without a preprocessor does not accept the header, or reads other types in it.
#[test]
fn the_header_for_foreign_functions_stands_alone() {
    let text = std::fs::read_to_string(Path::new(&root()).join("include/subflows_ffi.h")).unwrap();
    let (_, declarations) = text.split_once("*/\n").unwrap();
    for sign in ["#", "/*", "//", "extern", "socklen_t", "struct sockaddr"] {
        assert!(!declarations.contains(sign), "{sign}");
    }
    let addresses = "#include <stddef.h>\n#include <sys/socket.h>\n#include <netinet/in.h>\n\
        #include <stdbool.h>\n#include <stdint.h>\n#include <subflows_ffi.h>\n\
        #define SAME(what, of) _Static_assert(of(struct what) == of(struct subflows_##what), #what)\n\
        SAME(sockaddr_storage, sizeof);\nSAME(sockaddr_storage, _Alignof);\n\
        SAME(sockaddr, sizeof);\n\
        #define AT(member, inside, index) _Static_assert(offsetof(struct inside, member) == \
        offsetof(struct subflows_sockaddr_storage, ss_data[index]), #member)\n\
        AT(sin_port, sockaddr_in, 0);\nAT(sin_addr, sockaddr_in, 2);\n\
        AT(sin6_port, sockaddr_in6, 0);\nAT(sin6_addr, sockaddr_in6, 6);\n\
        AT(sin6_scope_id, sockaddr_in6, 22);\n\
        _Static_assert(sizeof(struct sockaddr_in) == 16 && sizeof(struct sockaddr_in6) == 28 \
        && AF_INET == 2 && AF_INET6 == 10, \"addresses\");\n";
    compiles("gcc", "c11", addresses);
}
