//! With which arguments JVMs are started. `tests/suite/run-programs` runs real ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use subflows_lab::{Namespace, skip_unless_ready};

use crate::common::*;
use crate::run;

/// Prints what it was started with.
const PRINTS: &str = "#!/bin/sh\necho \"$*|$JDK_JAVA_OPTIONS\"\n";

/// A JDK's folder, as far as the command looks at it. Returns its `java`.
fn jdk(folder: &Folder, version: &str) -> String {
    let home = folder.file(version);
    fs::create_dir_all(format!("{home}/bin")).unwrap();
    let release = format!("IMPLEMENTOR=\"Test\"\nJAVA_VERSION=\"{version}\"\n");
    fs::write(format!("{home}/release"), release).unwrap();
    program(&format!("{home}/bin/java"))
}

fn program(path: &str) -> String {
    fs::write(path, PRINTS).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

#[test]
fn java_is_started_with_the_agent_and_other_programs_pass_it_on() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let folder = Folder::new();
    let jar = folder.file("the agent.jar");
    fs::write(&jar, "").unwrap();
    let agent = format!("-javaagent:{jar}");
    let printed = |options: &[&str], words: &[&str]| {
        let mut command = run(&namespace, &[options, &["--"], words].concat());
        Run::of(command.env("JDK_JAVA_OPTIONS", "-Dmine")).ok()
    };
    let named = ["--java-agent", &jar];
    let (eight, eleven, newest) =
        (jdk(&folder, "1.8.0_432"), jdk(&folder, "11.0.25"), jdk(&folder, "25"));
    let link = folder.file("java");
    std::os::unix::fs::symlink(&eleven, &link).unwrap();
    let native = "--enable-native-access=ALL-UNNAMED";
    assert_eq!(printed(&named, &[&link, "Main", "-x"]), format!("{agent} Main -x|-Dmine\n"));
    assert_eq!(printed(&named, &[&newest, "Main"]), format!("{agent} {native} Main|-Dmine\n"));
    let denied = "--illegal-native-access=deny";
    assert_eq!(printed(&named, &[&newest, denied]), format!("{agent} {denied}|-Dmine\n"));
    // Java 8 could not load it.
    assert_eq!(printed(&named, &[&eight, "Main"]), "Main|-Dmine\n");
    let other = program(&folder.file("mvn"));
    assert_eq!(printed(&named, &[&other, "package"]), format!("package|\"{agent}\" -Dmine\n"));

    // Nothing is named, or nothing is wanted.
    for options in [&[][..], &["--java-agent", "no"], &["--java-agent", ""]] {
        assert_eq!(printed(options, &[&eleven, "Main"]), "Main|-Dmine\n");
        assert_eq!(printed(options, &[&other, "package"]), "package|-Dmine\n");
    }
    let mut by_variable = run(&namespace, &["--", &eleven, "Main"]);
    by_variable.env("SUBFLOWS_JAVA_AGENT", &jar).env_remove("JDK_JAVA_OPTIONS");
    assert_eq!(Run::of(&mut by_variable).ok(), format!("{agent} Main|\n"));

    let nothing = folder.file("nothing");
    let told = Run::of(&mut run(&namespace, &["--java-agent", &nothing, "--", "true"])).fails(2);
    assert!(told.contains("is not a file") && told.contains("bindings/java/package"), "{told}");
    let strange = folder.file("a=b.jar");
    fs::write(&strange, "").unwrap();
    let told = Run::of(&mut run(&namespace, &["--java-agent", &strange, "--", "true"])).fails(2);
    assert!(told.contains("contains ="), "{told}");
}

/// As `make install` puts it. The jar is used by `java` alone, which prints no note.
#[test]
fn an_installed_agent_is_found() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let folder = Folder::new();
    let (prefix, java) = (folder.file("prefix"), jdk(&folder, "17.0.1"));
    fs::create_dir_all(format!("{prefix}/bin")).unwrap();
    fs::create_dir_all(format!("{prefix}/share/java")).unwrap();
    let command = format!("{prefix}/bin/subflows");
    fs::copy(SUBFLOWS, &command).unwrap();
    let jar = format!("{prefix}/share/java/subflows.jar");
    fs::write(&jar, "").unwrap();
    let printed = |program: &str| {
        let mut installed: Command = namespace.command(Path::new(&command));
        installed.env("SUBFLOWS_PRELOAD", crate::library()).env_remove("JDK_JAVA_OPTIONS");
        Run::of(installed.args(["run", "--", program, "Main"])).ok()
    };
    assert_eq!(printed(&java), format!("-javaagent:{jar} Main|\n"));
    assert_eq!(printed(&program(&folder.file("mvn"))), "Main|\n");
}
