//! The kernel's description of its own types (BTF), in which an iterator's program names what it iterates
//! over. Format: `Documentation/bpf/btf.rst`.

use std::fs;
use std::io;
use std::sync::OnceLock;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// The function whose arguments the kernel passes to a program of `iter/tcp`.
const FUNCTION: &[u8] = b"bpf_iter_tcp\0";

const MAGIC: u16 = 0xeb9f;
const KIND_FUNC: u32 = 12;

/// Returns the number of the function of TCP's iterator; `None` if this kernel has none.
pub(super) fn iterator_of_tcp() -> io::Result<Option<u32>> {
    static KNOWN: OnceLock<u32> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(Some(*known));
    }
    let found = find(&fs::read(VMLINUX)?);
    Ok(found.map(|id| *KNOWN.get_or_init(|| id)))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn find(bytes: &[u8]) -> Option<u32> {
    if u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
        return None;
    }
    let part = |offset: usize| {
        let start = number(bytes, 4)?.checked_add(number(bytes, offset)?)? as usize;
        bytes.get(start..)?.get(..number(bytes, offset + 4)? as usize)
    };
    let (types, names) = (part(8)?, part(16)?);
    let mut at = 0;
    // Number 0 is the type void, which is not in the list.
    for id in 1.. {
        let (name, info) = (number(types, at)? as usize, number(types, at + 4)?);
        let (kind, count) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
        if kind == KIND_FUNC && names.get(name..)?.starts_with(FUNCTION) {
            return Some(id);
        }
        at += 12 + extra(kind, count)?;
    }
    None
}

/// Returns the length of what follows a type of that kind, in bytes. `None` for an unknown kind.
fn extra(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        // Pointers, forward declarations, names and qualifiers, functions, floats.
        2 | 7..=12 | 16 | 18 => 0,
        // Integers, variables, tags.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Enumerations, prototypes.
        6 | 13 => 8 * count,
        // Structures, unions, sections, enumerations of 64 bits.
        4 | 5 | 15 | 19 => 12 * count,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btf(types: &[u32], names: &[u8]) -> Vec<u8> {
        let length = types.len() as u32 * 4;
        let head = [24, 0, length, length, names.len() as u32].map(u32::to_ne_bytes).concat();
        let types = types.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
        [&MAGIC.to_ne_bytes()[..], &[1, 0], &head, &types, names].concat()
    }

    #[test]
    fn the_function_is_found_behind_types_of_other_sizes() {
        let structure = [1, (4 << 24) | 1, 8, 1, 1, 0];
        let function = [3, KIND_FUNC << 24, 1];
        let bytes = btf(&[&structure[..], &function[..]].concat(), b"\0x\0bpf_iter_tcp\0");
        assert_eq!(find(&bytes), Some(2));
        assert_eq!(find(&btf(&structure, b"\0x\0")), None);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_rejected_or_read(mut bytes: Vec<u8>) {
            let _ = find(&bytes);
            bytes.splice(0..0, btf(&[], b""));
            let _ = find(&bytes);
        }
    }
}
