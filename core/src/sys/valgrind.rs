//! Detecting valgrind, which ends a program that makes a child such as the ones of `take_over` and `bpf`.

/// Reports whether the program runs under valgrind, by the request that `valgrind.h` documents: a sequence
/// of instructions that has no effect on a processor.
pub(super) fn is_present() -> bool {
    /// `VG_USERREQ__RUNNING_ON_VALGRIND`, and five arguments that it does not have.
    const REQUEST: [usize; 6] = [0x1001, 0, 0, 0, 0, 0];
    ask(&REQUEST) != 0
}

#[cfg(target_arch = "x86_64")]
fn ask(request: &[usize; 6]) -> usize {
    let mut answer = 0usize;
    // SAFETY: the rotations add up to whole turns, and the exchange is of a register with itself. Valgrind
    // reads the request and writes the answer.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request, inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(target_arch = "x86")]
fn ask(request: &[usize; 6]) -> usize {
    let mut answer = 0usize;
    // SAFETY: as for x86_64.
    unsafe {
        std::arch::asm!(
            "rol edi, 3", "rol edi, 13", "rol edi, 29", "rol edi, 19",
            "xchg ebx, ebx",
            in("eax") request, inout("edx") answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(target_arch = "aarch64")]
fn ask(request: &[usize; 6]) -> usize {
    let mut answer = 0usize;
    // SAFETY: as for x86_64.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") request, inout("x3") answer,
            options(nostack),
        );
    }
    answer
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn ask(_request: &[usize; 6]) -> usize {
    0
}
