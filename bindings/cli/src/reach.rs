//! Which programs a library can be loaded before.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile32, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, Object, elf};
use rustix::process::{getegid, geteuid};

/// How many interpreters of interpreters are followed, as the kernel does.
const INTERPRETERS_MAX: usize = 4;

/// Why a library cannot be loaded before a program, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    pub(crate) why: String,
    pub(crate) remedy: &'static str,
}

/// The program that a shell would execute under that name.
pub(crate) fn find(name: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if name.as_bytes().contains(&b'/') {
        // If it is not a program, exec(3) reports why.
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    env::split_paths(&path).map(|folder| folder.join(name)).find(is_program)
}

/// Checks a program, or the interpreter of a script.
pub(crate) fn check(program: &Path) -> Result<(), Unreached> {
    let mut program = program.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        changes_user(&program)?;
        // A file that cannot be read may still be executed.
        let Ok(head) = head_of(&program) else { return Ok(()) };
        match interpreter(&head) {
            Some(interpreter) => program = interpreter,
            None => return is_linked(&program),
        }
    }
    Ok(())
}

/// The dynamic linker ignores `LD_PRELOAD` of a program that gains rights.
fn changes_user(program: &Path) -> Result<(), Unreached> {
    let Ok(file) = fs::metadata(program) else { return Ok(()) };
    let becomes_user = file.mode() & 0o4000 != 0 && file.uid() != geteuid().as_raw();
    let becomes_group = file.mode() & 0o2000 != 0 && file.gid() != getegid().as_raw();
    let mut room = [0u8; 64];
    let has_capabilities = !geteuid().is_root()
        && rustix::fs::getxattr(program, "security.capability", &mut room).is_ok();
    let gains = match (becomes_user || becomes_group, has_capabilities) {
        (true, _) => "it runs as another user or group (set-user-ID)",
        (_, true) => "it has capabilities of its own (getcap)",
        _ => return Ok(()),
    };
    Err(Unreached {
        why: format!(
            "{}: {gains}, so the dynamic linker loads no library before it",
            program.display()
        ),
        remedy: "Run it as that user: sudo subflows run -- COMMAND.",
    })
}

/// Reads the beginning of a file, which shows its format.
fn head_of(program: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(program)?.take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// The interpreter of a script; of `/usr/bin/env NAME`, the program NAME.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
    let interpreter = Path::new(OsStr::from_bytes(words.next()?)).to_owned();
    if interpreter.file_name() == Some(OsStr::new("env")) {
        let name = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?;
        return find(OsStr::from_bytes(name));
    }
    Some(interpreter)
}

/// Fails for a program whose dynamic linker cannot load the library, unless Go's own switch reaches it.
fn is_linked(program: &Path) -> Result<(), Unreached> {
    let Ok(data) = fs::read(program) else { return Ok(()) };
    let program_is = |why: &str, remedy| {
        Err(Unreached { why: format!("{} is {why}", program.display()), remedy })
    };
    let build = "Use a build for this system's C library and processor.";
    match described(&data) {
        Some(Described { is_go: true, .. }) => Ok(()),
        Some(Described { linker: None, .. }) => program_is(
            "a static program, which loads no libraries",
            "Use a dynamically linked build of it.",
        ),
        Some(Described { linker: Some(linker), .. }) if linker.contains("ld-musl") => {
            program_is("linked to musl, which cannot load a library for the GNU C library", build)
        }
        Some(_)
            if head_of(Path::new("/proc/self/exe")).is_ok_and(|own| kind(&own) != kind(&data)) =>
        {
            program_is("for another kind of processor than the library", build)
        }
        // exec(3) reports what it is.
        _ => Ok(()),
    }
}

/// What an executable file is.
struct Described {
    /// The dynamic linker, if it has one.
    linker: Option<String>,
    is_go: bool,
}

/// The class and the byte order, and the processor (`EI_CLASS`, `EI_DATA`, `e_machine`).
fn kind(elf: &[u8]) -> [Option<&[u8]>; 2] {
    [elf.get(4..6), elf.get(18..20)]
}

fn described(data: &[u8]) -> Option<Described> {
    match FileKind::parse(data) {
        Ok(FileKind::Elf64) => describe(&ElfFile64::<Endianness>::parse(data).ok()?),
        Ok(FileKind::Elf32) => describe(&ElfFile32::<Endianness>::parse(data).ok()?),
        _ => None,
    }
}

fn describe<Elf: FileHeader<Endian = Endianness>>(
    file: &object::read::elf::ElfFile<'_, Elf>,
) -> Option<Described> {
    let endian = file.endian();
    let mut segments = file.elf_program_headers().iter();
    let linker = segments.find(|segment| segment.p_type(endian) == elf::PT_INTERP);
    let linker = linker.map(|segment| segment.data(endian, file.data()).unwrap_or(&[]));
    Some(Described {
        linker: linker.map(|path| String::from_utf8_lossy(path).into_owned()),
        is_go: file.section_by_name(".go.buildinfo").is_some(),
    })
}
