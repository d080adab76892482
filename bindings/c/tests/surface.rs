//! Without these, a function is declared but not exported, exported but not declared, or described
//! in other words than those of core's table.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use common::{library, root, run};
use subflows::table::Operation;
use subflows::{ErrorKind, OPERATIONS};
use subflows_generate::c::names;
use subflows_generate::signature::{self, Parameter, ParameterType, ResultType, Scalar};
use subflows_generate::words;

/// The version of every exported symbol.
const NODE: &str = "SUBFLOWS_0";

/// A function as the header declares it.
struct Declared {
    name: String,
    /// What it returns: `int`.
    ty: String,
    /// As in the header: `struct subflows_info *info`.
    parameters: Vec<String>,
    comment: String,
}

impl Declared {
    /// The kinds of error that its comment names.
    fn kinds(&self) -> BTreeSet<&'static str> {
        let is_part = |c: char| !c.is_ascii_uppercase() && c != '_';
        let named = self
            .comment
            .split(is_part)
            .map(|word| ErrorKind::ALL.iter().find(|kind| names::c_kind(kind.name()) == *word));
        named.flatten().map(|kind| kind.name()).collect()
    }

    fn first_sentence(&self) -> String {
        normal(&words::first_sentence(&self.comment))
    }
}

/// Without the differences between C and Rust.
fn normal(sentence: &str) -> String {
    sentence.replace(['`', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn header() -> Vec<Declared> {
    let text = std::fs::read_to_string(root().join("include/subflows.h")).unwrap();
    let mut declared = Vec::new();
    let mut comment = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(first) = line.strip_prefix("/**") {
            comment = first.trim_end_matches("*/").to_owned();
            if !line.ends_with("*/") {
                let inside = lines.by_ref().take_while(|line| line.trim() != "*/");
                comment.extend(
                    inside.map(|line| line.trim().trim_start_matches('*').to_owned() + "\n"),
                );
            }
        } else if line.contains('(') && line.starts_with(|c: char| c.is_ascii_lowercase()) {
            let mut whole = line.to_owned();
            while !whole.ends_with(';') {
                whole += lines.next().expect("the end of a declaration");
            }
            let (before, rest) = whole.split_once('(').unwrap();
            let parameters = rest.trim_end_matches(");").split(',');
            declared.push(Declared {
                name: before.rsplit([' ', '*']).next().unwrap().to_owned(),
                ty: before.rsplit_once([' ', '*']).unwrap().0.to_owned(),
                parameters: parameters.map(normal).filter(|p| p != "void").collect(),
                comment: std::mem::take(&mut comment),
            });
        }
    }
    declared
}

/// The exported symbols, each with its version.
fn exported(library: &Path) -> BTreeSet<String> {
    let mut nm = Command::new("nm");
    let output = run(nm.args(["-D", "--defined-only", "--with-symbol-versions"]).arg(library));
    let text = String::from_utf8(output.stdout).unwrap();
    let symbols = text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned());
    // The version itself is listed as well.
    symbols.filter(|symbol| symbol != NODE && symbol != &format!("{NODE}@@{NODE}")).collect()
}

fn promised() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("bindings/c/abi.txt")).unwrap();
    let symbol = |line: &str| {
        line.strip_prefix("symbol ")?.split_once(' ').map(|(n, v)| format!("{n}@@{v}"))
    };
    text.lines().filter_map(symbol).collect()
}

#[test]
fn exported_declared_and_promised_are_the_same() {
    let declared: BTreeSet<_> =
        header().iter().map(|function| format!("{}@@{NODE}", function.name)).collect();
    assert!(!declared.is_empty());
    assert_eq!(exported(&library().join("libsubflows.so.0")), declared);
    assert_eq!(promised(), declared);
}

#[test]
fn every_operation_is_there_in_cores_words() {
    let header = header();
    let mut wrong = Vec::new();
    for operation in OPERATIONS {
        let name = format!("subflows_{}", operation.name);
        let Some(function) = header.iter().find(|function| function.name == name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let core = normal(&names::for_c(&words::first_sentence(operation.doc)));
        if function.first_sentence() != core {
            wrong.push(format!("{name}: {}\n  core: {core}", function.first_sentence()));
        }
        wrong.extend(errors(operation, function));
        wrong.extend(parameters(operation, function, &header));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A function that returns a number and cannot fail, or reports the failure of another one.
const WITHOUT_FAILURE: [&str; 4] = [
    "subflows_last_error",
    "subflows_connecting_timeout_ms",
    "subflows_opening_timeout_ms",
    "subflows_probing_timeout_ms",
];

#[test]
fn every_function_that_can_fail_has_a_second_form() {
    let header = header();
    let is_second = |function: &&Declared| function.name.ends_with("_e");
    let mut second: BTreeSet<_> =
        header.iter().filter(is_second).map(|function| function.name.clone()).collect();
    for function in header.iter().filter(|function| !is_second(function) && function.ty == "int") {
        // Those of the enhanced socket API have their error in errno.
        let has_errno = function.name.starts_with("subflows_enhanced_");
        if WITHOUT_FAILURE.contains(&&*function.name) || has_errno {
            continue;
        }
        let name = format!("{}_e", function.name);
        assert!(second.remove(&name), "{name} is missing");
        let found = header.iter().find(|function| function.name == name).unwrap();
        let failure = ["struct subflows_failure *failure", "size_t failure_size"];
        let wanted = [&function.parameters[..], &failure.map(str::to_owned)].concat();
        assert_eq!(found.parameters, wanted, "{name}");
    }
    assert_eq!(second, BTreeSet::new(), "second forms without a first one");
}

fn errors(operation: &Operation, function: &Declared) -> Option<String> {
    let row: BTreeSet<_> = operation.errors.iter().map(|kind| kind.name()).collect();
    let mut named = function.kinds();
    // Every operation can return these.
    for kind in [ErrorKind::InvalidArgument, ErrorKind::Os] {
        named.remove(kind.name());
    }
    (named != row).then(|| format!("{} names {named:?}, and core {row:?}", function.name))
}

/// The parameters of the row in C.
fn parameters(operation: &Operation, function: &Declared, header: &[Declared]) -> Option<String> {
    let mut wanted = Vec::new();
    for Parameter { name, ty } in signature::parameters(operation) {
        match ty {
            ParameterType::Socket => wanted.push("int fd".to_owned()),
            // Without a type of its own, the value of a setting is written as for sysctl(8).
            ParameterType::Value(Scalar::OptionValue) if operation.name == "set_setting" => {
                wanted.push(format!("const char *{name}"));
            }
            // Only what makes a socket takes the name of a host.
            ParameterType::Value(Scalar::Address) if !signature::makes_socket(operation) => {
                wanted.extend(argument(Scalar::Ip, name));
            }
            ParameterType::Value(scalar) => wanted.extend(argument(scalar, name)),
            // Two functions are easier to read than a 0 or a 1.
            ParameterType::Switch => {
                let switched = format!("subflows_{name}_{}", operation.name);
                let has_own = header.iter().any(|function| function.name == switched);
                wanted.extend((!has_own).then(|| format!("int {name}")));
            }
            ParameterType::Options(table) => {
                let options = names::c_options(table.name);
                wanted
                    .extend([format!("const struct {options} *{name}"), "size_t size".to_owned()]);
            }
        }
    }
    wanted.extend(result(operation, function));
    let is_same = function.parameters == wanted;
    (!is_same).then(|| format!("{} takes {:?}, not {wanted:?}", function.name, function.parameters))
}

fn argument(scalar: Scalar, name: &str) -> Vec<String> {
    match scalar {
        Scalar::U8 => vec![format!("uint8_t {name}")],
        Scalar::U16 => vec![format!("uint16_t {name}")],
        Scalar::U32 => vec![format!("uint32_t {name}")],
        Scalar::U64 => vec![format!("uint64_t {name}")],
        Scalar::Bool | Scalar::Enum(_) => vec![format!("int {name}")],
        Scalar::Text | Scalar::Name => vec![format!("const char *{name}")],
        Scalar::Duration => vec![format!("int {name}_ms")],
        Scalar::OptionValue => vec![format!("const void *{name}"), "size_t size".to_owned()],
        Scalar::Address => ["const char *host", "const char *service"].map(str::to_owned).to_vec(),
        Scalar::Ip => {
            vec![format!("const struct sockaddr *{name}"), "socklen_t length".to_owned()]
        }
    }
}

fn result(operation: &Operation, function: &Declared) -> Vec<String> {
    let mut parameters = signature::parameters(operation).into_iter();
    let has_options = parameters.any(|parameter| matches!(parameter.ty, ParameterType::Options(_)));
    let name = operation.name;
    let handle = || format!("struct subflows_{name} **{name}");
    match signature::result(operation) {
        ResultType::Nothing | ResultType::Socket => Vec::new(),
        ResultType::Value(_) => vec!["void *value".to_owned(), "size_t size".to_owned()],
        ResultType::Record(record) => {
            let record = names::c_record(record.name);
            let out = record.trim_start_matches("subflows_");
            let size =
                if has_options { format!("size_t {out}_size") } else { "size_t size".to_owned() };
            vec![format!("struct {record} *{out}"), size]
        }
        ResultType::Handle(handle) => {
            let handle = names::c_record(handle);
            vec![format!("struct {handle} **{}", handle.trim_start_matches("subflows_"))]
        }
        // The records of an unbounded list are returned one by one, from a handle.
        ResultType::List(_) if function.parameters.last() == Some(&handle()) => vec![handle()],
        ResultType::List(record) => {
            let record = names::c_record(record.name);
            let last = function.parameters.iter().rev().nth(2).map_or("", |p| p);
            let out = last.rsplit('*').next().unwrap_or("").to_owned();
            let one = record.trim_start_matches("subflows_");
            let size =
                if has_options { format!("size_t {one}_size") } else { "size_t size".into() };
            vec![format!("struct {record} *{out}"), "size_t room".into(), size]
        }
    }
}

#[test]
fn nothing_generated_is_stale() {
    let root = root();
    let outputs = subflows_generate::all(&root).unwrap();
    let stale: Vec<_> = outputs.iter().filter(|output| output.is_stale(&root)).collect();
    let stale: Vec<_> = stale.iter().map(|output| output.path().display().to_string()).collect();
    assert!(stale.is_empty(), "run `cargo regen`: {stale:?}");
}
