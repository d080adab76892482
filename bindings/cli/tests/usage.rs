//! The command line: usage errors end with 2, and a reader that has gone gets no error.

mod common;

use std::process::{Command, Stdio};

use common::*;

fn run(arguments: &[&str]) -> Run {
    Run::of(Command::new(SUBFLOWS).args(arguments))
}

/// Mistakes that people make, at least three for each verb: the words, the exit status, and what the message must
/// contain, which is what was wrong and what is accepted or to be done.
const MISTAKES: &[(&str, u8, &[&str])] = &[
    ("", 2, &["Usage: subflows", "Verbs:"]),
    ("subvert", 2, &["unrecognized subcommand 'subvert'", "--help"]),
    ("--frobnicate", 2, &["unexpected argument '--frobnicate'"]),
    ("capabilites", 2, &["similar subcommand", "'capabilities'"]),
    ("capabilities all", 2, &["unexpected argument 'all'", "Usage: subflows capabilities"]),
    ("capabilities --jsn", 2, &["a similar argument exists: '--json'"]),
    ("capabilities -v", 2, &["unexpected argument '-v'"]),
    ("conections", 2, &["similar subcommand", "'connections'"]),
    ("connections 1f", 2, &["unexpected argument '1f'"]),
    ("connections --process", 2, &["a similar argument exists: '--processes'"]),
    ("connections --json=yes", 2, &["unexpected value 'yes' for '--json'"]),
    ("connection", 2, &["not provided", "<TOKEN>"]),
    ("connection wifi", 2, &["'wifi'", "hexadecimal", "subflows connections"]),
    ("connection 1f", 4, &["no connection has the token 0000001f", "subflows connections"]),
    ("status", 2, &["not provided", "<TOKEN>"]),
    ("status 0", 2, &["a token is", "and not 0"]),
    ("status 1f", 4, &["no connection has the token 0000001f", "nsenter"]),
    ("info", 2, &["not provided", "<TOKEN>"]),
    ("info -1", 2, &["'-1'"]),
    ("info 1f", 4, &["no connection has the token 0000001f", "subflows connections"]),
    ("list", 2, &["not provided", "<TOKEN>"]),
    ("list xyz", 2, &["'xyz'", "hexadecimal"]),
    ("list 4294967296", 2, &["'4294967296'", "4294967295"]),
    ("list 1f 2", 2, &["unexpected argument '2'"]),
    ("details 1f", 2, &["not provided", "<ID>"]),
    ("details 1f wifi", 2, &["'wifi'", "as `subflows list TOKEN` prints it"]),
    ("details 1f 1", 4, &["no connection has the token 0000001f"]),
    ("open", 2, &["not provided", "<TOKEN>"]),
    ("open 1f --local wifi", 2, &["'wifi'", "expected an IP address"]),
    ("open 1f --remote example.org:443", 2, &["'example.org:443'", "[2001:db8::1]:443"]),
    ("open 1f --timeout 5", 2, &["'5'", "unit"]),
    ("open 1f --local-port 65536", 2, &["'65536'", "65535"]),
    ("close 1f", 2, &["not provided", "<ID>"]),
    ("close 1f -1", 2, &["'-1'"]),
    ("close 1f wifi", 2, &["'wifi'", "as `subflows list TOKEN` prints it"]),
    ("close 1f 1", 4, &["no connection has the token 0000001f"]),
    ("set-backup 1f 1", 2, &["not provided", "<yes|no>"]),
    ("set-backup 1f 1 perhaps", 2, &["'perhaps'", "possible values: yes, no"]),
    ("set-backup 1f wifi yes", 2, &["'wifi'", "as `subflows list TOKEN` prints it"]),
    ("set_backup 1f 1 yes", 2, &["similar subcommand", "'set-backup'"]),
    ("option 1f", 2, &["not provided", "<ID>"]),
    ("option 1f 1 frobnication", 2, &["'frobnication'", "the options are: ", "max_pacing_rate"]),
    ("option 1f 1 mark 1 2", 2, &["unexpected argument '2'"]),
    ("raw-option 1f 1 1", 2, &["not provided", "<NUMBER>"]),
    ("raw-option 1f 1 SOL_SOCKET 36", 2, &["'SOL_SOCKET'"]),
    ("raw-option 1f 1 1 36 42", 2, &["'42'", "0x2a000000"]),
    ("addresses", 2, &["not provided", "<TOKEN>"]),
    ("addresses 10.0.0.1", 2, &["'10.0.0.1'", "a token is"]),
    ("addresses 1f", 4, &["no connection has the token 0000001f"]),
    ("announce 1f", 2, &["not provided", "<ADDR>"]),
    ("announce 1f wifi", 2, &["'wifi'", "expected an IP address"]),
    ("announce 1f 10.0.0.1 --backlog 5", 2, &["not provided", "--port <N>"]),
    ("events wifi", 2, &["'wifi'", "a token is"]),
    ("events --count 0", 2, &["'0'", "1.."]),
    ("events --buffer 3GB", 2, &["'3GB'", "up to 2GB"]),
    ("events 1f", 4, &["no connection has the token 0000001f"]),
    ("connect", 2, &["not provided", "<HOST>"]),
    ("connect localhost", 2, &["not provided", "<PORT>"]),
    ("connect localhost 70000", 2, &["'70000'"]),
    ("run", 2, &["not provided", "<COMMAND>"]),
    ("run --frobnicate true", 2, &["unexpected argument '--frobnicate'"]),
    ("run --backup", 2, &["a value is required", "--backup"]),
    ("endpoints list", 2, &["unrecognized subcommand 'list'"]),
    ("endpoints add", 2, &["not provided", "<ADDR>"]),
    ("endpoints add wifi", 2, &["'wifi'", "expected an IP address"]),
    ("endpoints add 192.0.2.1 --id 256", 2, &["'256'", "255"]),
    ("endpoints change 1", 2, &["not provided", "--backup <yes|no>"]),
    ("endpoints change 1 --backup perhaps", 2, &["'perhaps'", "possible values: yes, no"]),
    ("endpoints remove wifi", 2, &["'wifi'"]),
    ("limits 8", 2, &["unrecognized subcommand '8'"]),
    ("limits set", 2, &["not provided", "--subflows <N>"]),
    ("limits set --subflows many", 2, &["'many'"]),
    (
        "settings frobnication",
        2,
        &["\"frobnication\" is not a setting", "The settings are: enabled"],
    ),
    ("settings enabled yes no", 2, &["unexpected argument 'no'"]),
    ("settings enabled perhaps", 2, &["enabled"]),
    ("counters MPCapableSYNRX", 2, &["unexpected argument 'MPCapableSYNRX'"]),
    ("counters --al", 2, &["a similar argument exists: '--all'"]),
    ("counters --all=no", 2, &["unexpected value 'no' for '--all'"]),
    ("counter", 2, &["similar subcommand", "'counters'"]),
    ("doctor example.org", 2, &["'example.org'", "HOST:PORT"]),
    ("doctor example.org:https", 2, &["'example.org:https'", "HOST:PORT"]),
    ("doctor example.org:443 --timeout 5", 2, &["'5'", "unit"]),
    ("probe", 2, &["not provided", "<HOST[:PORT]>"]),
    ("probe example.org:https", 2, &["'example.org:https'"]),
    ("probe example.org --parallel 0", 2, &["'0'", "1..=1000"]),
    ("probe example.org --trace --data x", 2, &["cannot be used with"]),
    ("watch", 2, &["for terminals", "subflows connections --json"]),
    ("watch --interval 5", 2, &["'5'", "unit"]),
    ("watch --interval 1ms", 2, &["'1ms'", "50ms or more"]),
    ("serve-check --listen 8080", 2, &["'8080'"]),
    ("serve-check --listen 192.0.2.1:0", 1, &["listen", "192.0.2.1", "address"]),
    ("serve-check --max-clients 0", 2, &["'0'", "1.."]),
    ("schema close", 2, &["'close'", "possible values: ", "connections"]),
    ("schema Connection", 2, &["'Connection'", "possible values: "]),
    ("schema list open", 2, &["unexpected argument 'open'"]),
    ("broker now", 2, &["unexpected argument 'now'"]),
    ("broker --sockt x", 2, &["a similar argument exists: '--socket'"]),
    ("broker --socket", 2, &["a value is required"]),
    ("lab", 2, &["not provided"]),
    ("lab -- true", 2, &["not provided"]),
    ("lab wifi:20parsec", 2, &["`parsec` in `20parsec` is not a unit"]),
    ("demo --size many", 2, &["'many'", "256MiB or 100MB"]),
    ("demo --size 1kB", 2, &["'1kB'", "1MiB to 1TiB"]),
    ("demo now", 2, &["unexpected argument 'now'"]),
];

#[test]
fn mistakes_have_a_useful_message() {
    let mut wrong = Vec::new();
    for (words, code, expected) in MISTAKES {
        let arguments: Vec<_> = words.split_whitespace().collect();
        let found = run(&arguments);
        let is_so = found.code == Some((*code).into())
            && found.stdout.is_empty()
            && expected.iter().all(|text| found.stderr.contains(text));
        if !is_so {
            wrong.push(format!("{words}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for verb in subflows_cli::command().get_subcommands() {
        let name = verb.get_name();
        let of_verb = |words: &str| words.split(' ').next() == Some(name);
        let count = MISTAKES.iter().filter(|(words, ..)| of_verb(words)).count();
        assert!(count >= 3, "{name}: {count}");
    }
    let text = run(&["lab", "wi fi"]).fails(2);
    assert!(text.contains("error: "), "{text}");
}

#[test]
fn help_lists_the_codes_and_the_version_is_the_projects() {
    let help = run(&["--help"]).ok();
    assert!(help.contains("Exit status:") && help.contains("not permitted"), "{help}");
    for verb in subflows_cli::command().get_subcommands() {
        let verb = verb.get_name();
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
        assert!(run(&[verb, "--help"]).ok().contains("Usage: subflows"), "{verb}");
    }
    let version = format!("subflows {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).ok(), version);
}

#[test]
fn a_reader_that_leaves_is_not_an_error() {
    for arguments in [&["capabilities"][..], &["capabilities", "--json"]] {
        let mut command = Command::new(SUBFLOWS);
        let child = command.args(arguments).stdout(broken_pipe()).stderr(Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn capabilities_have_the_fields_of_the_table() {
    use subflows::table::Record;
    let json = run(&["capabilities", "--json"]).objects();
    let all = json.as_array().unwrap();
    assert!(!all.is_empty());
    for capability in all {
        assert_eq!(names(capability), fields(subflows::Capability::FIELDS));
    }
    let text = run(&["capabilities"]).ok();
    for capability in all {
        assert!(text.contains(capability["name"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let command = format!("'{SUBFLOWS}' capabilities");
    let on_a_terminal = |no_color: &str| {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        script.env("TERM", "xterm-256color").env("NO_COLOR", no_color);
        script.stdin(Stdio::null()).output()
    };
    let Ok(coloured) = on_a_terminal("") else {
        return subflows_lab::skip("needs script(1), for a terminal");
    };
    assert!(coloured.stdout.contains(&0x1b), "{coloured:?}");
    assert!(!on_a_terminal("1").unwrap().stdout.contains(&0x1b));
    assert!(!run(&["capabilities"]).ok().contains('\x1b'));
}
