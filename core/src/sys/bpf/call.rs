//! The commands of bpf(2). Layouts: `union bpf_attr` in `include/uapi/linux/bpf.h`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const PROG_LOAD: i32 = 5;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const LINK_CREATE: i32 = 28;
const ITER_CREATE: i32 = 33;

const MAP_TYPE_ARRAY: u32 = 2;
const PROG_TYPE_TRACING: u32 = 26;
const TRACE_ITER: u32 = 28;

/// A name in `bpftool`, with the zeroes that end it.
pub(super) type Name = [u8; 16];
/// No program calls a helper that is reserved for the GPL.
const LICENSE: &[u8] = b"MIT OR Apache-2.0\0";

/// `BPF_LD | BPF_DW | BPF_IMM`. In the program, each one loads the address of the map's value.
pub(super) const LOAD_ADDRESS: u8 = 0x18;
/// The source of such an instruction: the value of the map with that descriptor.
const PSEUDO_MAP_VALUE: u8 = 2;

/// # Safety
/// Every address in `attributes` has to be that of memory that the command may read or write.
unsafe fn bpf<T>(command: i32, attributes: &mut T) -> io::Result<i32> {
    let pointer: *mut T = attributes;
    // SAFETY: the pointer and the length describe `attributes`; the caller vouches for what is inside.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// As [`bpf`], for a command that makes a descriptor. The kernel closes it when another program is executed.
///
/// # Safety
/// As for [`bpf`].
unsafe fn bpf_fd<T>(command: i32, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: as for `bpf`.
    let fd = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address<T: ?Sized>(pointer: *const T) -> u64 {
    pointer.cast::<u8>() as usize as u64
}

/// Makes a map with one value, of that size in bytes.
pub(super) fn map_create(name: Name, value_size: usize) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
        inner_fd: u32,
        numa_node: u32,
        name: [u8; 16],
        /// What newer kernels have, and valgrind reads.
        rest: [u32; 9],
    }
    let mut attributes = Attributes {
        kind: MAP_TYPE_ARRAY,
        key_size: size_of::<u32>() as u32,
        value_size: value_size as u32,
        max_entries: 1,
        flags: 0,
        inner_fd: 0,
        numa_node: 0,
        name,
        rest: [0; 9],
    };
    // SAFETY: the command takes no address.
    unsafe { bpf_fd(MAP_CREATE, &mut attributes) }
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Instruction {
    pub(super) operation: u8,
    /// The destination and the source, four bits each.
    registers: u8,
    offset: i16,
    pub(super) immediate: i32,
}

/// Makes the instructions for this processor and that map.
pub(super) fn instructions(program: &[u64], map: BorrowedFd<'_>) -> Vec<Instruction> {
    let mut is_second_half = false;
    let instruction = |number: &u64| {
        let (operation, registers) = (*number as u8, (number >> 8) as u8);
        let (mut source, destination) = (registers >> 4, registers & 0xf);
        let mut immediate = (number >> 32) as i32;
        // This instruction takes the room of two. The second half is zero: the offset in the map's value.
        if operation == LOAD_ADDRESS && !is_second_half {
            (source, immediate) = (PSEUDO_MAP_VALUE, map.as_raw_fd());
        }
        is_second_half = operation == LOAD_ADDRESS && !is_second_half;
        let registers = if cfg!(target_endian = "little") {
            (source << 4) | destination
        } else {
            (destination << 4) | source
        };
        Instruction { operation, registers, offset: (number >> 16) as i16, immediate }
    };
    program.iter().map(instruction).collect()
}

/// Loads a program with one map. `function` is the kernel's function of the iterator.
pub(super) fn program_load(
    name: Name,
    program: &[u64],
    map: BorrowedFd<'_>,
    function: u32,
) -> io::Result<OwnedFd> {
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        kind: u32,
        instruction_count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        interface: u32,
        attach_type: u32,
        btf_fd: u32,
        function_info_size: u32,
        function_info: u64,
        function_info_count: u32,
        line_info_size: u32,
        line_info: u64,
        line_info_count: u32,
        attach_function: u32,
        attach_program: u32,
        reserved: u32,
    }
    let instructions = instructions(program, map);
    let mut attributes = Attributes {
        kind: PROG_TYPE_TRACING,
        instruction_count: instructions.len() as u32,
        instructions: address(instructions.as_ptr()),
        license: address(LICENSE),
        name,
        attach_type: TRACE_ITER,
        attach_function: function,
        ..Attributes::default()
    };
    // SAFETY: the addresses are those of the instructions and of the license, which live until the call
    // returns and which the kernel only reads.
    unsafe { bpf_fd(PROG_LOAD, &mut attributes) }
}

/// Makes an iterator over the TCP sockets of the thread's network namespace, which runs the program.
pub(super) fn iterator(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Link {
        program: i32,
        target: u32,
        attach_type: u32,
        flags: u32,
    }
    #[repr(C)]
    struct Iterator {
        link: i32,
        flags: u32,
    }
    let mut link =
        Link { program: program.as_raw_fd(), target: 0, attach_type: TRACE_ITER, flags: 0 };
    // SAFETY: the command takes no address.
    let link = unsafe { bpf_fd(LINK_CREATE, &mut link) }?;
    let mut iterator = Iterator { link: link.as_raw_fd(), flags: 0 };
    // The iterator does not need the link, which is closed here.
    // SAFETY: the command takes no address.
    unsafe { bpf_fd(ITER_CREATE, &mut iterator) }
}

/// # Safety
/// As for [`write`] and [`read`].
unsafe fn element<T>(command: i32, map: BorrowedFd<'_>, value: &mut T) -> io::Result<()> {
    #[repr(C)]
    struct Attributes {
        map: i32,
        reserved: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let key = 0u32;
    let mut attributes = Attributes {
        map: map.as_raw_fd(),
        reserved: 0,
        key: address(&key),
        value: address(&raw const *value),
        flags: 0,
    };
    // SAFETY: the addresses are those of the key and of the value; the caller vouches for its size.
    unsafe { bpf(command, &mut attributes) }.map(drop)
}

/// Writes the map's only value.
///
/// # Safety
/// `T` has to have the size of the map's value.
pub(super) unsafe fn write<T>(map: BorrowedFd<'_>, mut value: T) -> io::Result<()> {
    // SAFETY: as the caller promises.
    unsafe { element(MAP_UPDATE_ELEM, map, &mut value) }
}

/// Reads the map's only value into `value`.
///
/// # Safety
/// `T` has to have the size of the map's value, and every bit pattern has to be a `T`.
pub(super) unsafe fn read<T>(map: BorrowedFd<'_>, value: &mut T) -> io::Result<()> {
    // SAFETY: as the caller promises.
    unsafe { element(MAP_LOOKUP_ELEM, map, value) }
}

/// The kind and the number of a program or map. The number belongs to no other one until the next boot.
pub(super) type Identity = [u32; 2];

/// Returns what the descriptor is; `None` if it is neither a program nor a map.
pub(super) fn identity(fd: BorrowedFd<'_>) -> Option<Identity> {
    #[repr(C)]
    struct Attributes {
        fd: i32,
        length: u32,
        info: u64,
    }
    let mut info: Identity = [0; 2];
    let mut attributes = Attributes {
        fd: fd.as_raw_fd(),
        length: size_of::<Identity>() as u32,
        info: address(&raw mut info),
    };
    // SAFETY: the address is that of `info`, and the length is its size.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) }.ok()?;
    Some(info)
}
