//! The caller's structs: records are filled, options are read, each as far as both sides know it.
//!
//! The caller passes the size that its compiler knows, which may be that of an older or a newer
//! header.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::slice;

use crate::convert::{CStruct, FromC, StringArena};
use crate::failure::Failure;

const PASS_SIZEOF: &str = "Pass the sizeof of the struct, not that of a pointer to it.";

/// The largest size that is accepted: far above that of any struct of this library, and far below
/// what a negative number looks like as a size.
const LARGEST: usize = 64 * 1024;

/// One struct or an array of structs that the caller wants filled. It can be made before anything
/// is done, so that a wrong argument has no effect.
pub(crate) struct Out<'call, M> {
    first: *mut M,
    room: usize,
    size: usize,
    during: PhantomData<&'call mut M>,
}

impl<M> Out<'_, M> {
    /// One struct of `size` bytes.
    ///
    /// # Safety
    /// `first` is NULL or points to `size` bytes that may be written until the `Out` is dropped.
    pub(crate) unsafe fn new(first: *mut M, size: usize) -> Result<Self, Failure> {
        // SAFETY: the caller's promise covers one element.
        unsafe { Out::array(first, 1, size) }
    }

    /// As [`Out::new`]; NULL if the caller does not want the result.
    ///
    /// # Safety
    /// As [`Out::new`].
    pub(crate) unsafe fn if_wanted(first: *mut M, size: usize) -> Result<Option<Self>, Failure> {
        // SAFETY: as above.
        (!first.is_null()).then(|| unsafe { Out::new(first, size) }).transpose()
    }

    /// `room` structs of `size` bytes each. With a room of 0, the pointer and the size do not
    /// count.
    ///
    /// # Safety `first` is NULL or points to `room` elements that may be written until the `Out` is
    /// dropped.
    pub(crate) unsafe fn array(first: *mut M, room: usize, size: usize) -> Result<Self, Failure> {
        if room > 0 && first.is_null() {
            return Err(Failure::argument(
                "the pointer to the result is NULL",
                "Pass a pointer to the struct that receives the result.",
            ));
        }
        // The smallest struct that reports anything is the presence word.
        if room > 0 && (size < size_of::<u64>() || !is_size_of_struct::<M>(size)) {
            return Err(Failure::argument(
                format!("{size} is not a size of this struct"),
                PASS_SIZEOF,
            ));
        }
        Ok(Out { first, room, size, during: PhantomData })
    }

    /// Fills the struct, and returns 0. Members that only the caller knows become zero.
    pub(crate) fn fill<R>(mut self, record: &R) -> c_int
    where
        M: CStruct<R>,
    {
        self.put(0, &without_strings(record));
        0
    }

    /// As [`Out::fill`], for a record with texts, which are kept in `strings`.
    pub(crate) fn fill_with_strings<R>(mut self, record: &R, strings: &mut StringArena)
    where
        M: CStruct<R>,
    {
        strings.clear();
        self.put(0, &M::from_record(record, strings));
    }

    /// Fills the array as far as there is room, and returns how many records there are.
    pub(crate) fn fill_all<R>(mut self, records: &[R]) -> c_int
    where
        M: CStruct<R>,
    {
        for (index, record) in records.iter().take(self.room).enumerate() {
            self.put(index, &without_strings(record));
        }
        c_int::try_from(records.len()).unwrap_or(c_int::MAX)
    }

    /// As [`Out::fill_all`], for records with texts, which are kept in `strings`.
    pub(crate) fn fill_all_with_strings<R>(
        mut self,
        records: &[R],
        strings: &mut StringArena,
    ) -> c_int
    where
        M: CStruct<R>,
    {
        strings.clear();
        for (index, record) in records.iter().take(self.room).enumerate() {
            self.put(index, &M::from_record(record, strings));
        }
        c_int::try_from(records.len()).unwrap_or(c_int::MAX)
    }

    fn put(&mut self, index: usize, value: &M) {
        assert!(index < self.room);
        let element = self.first.cast::<MaybeUninit<u8>>().wrapping_add(index * self.size);
        // SAFETY: the element is one of `room`, each of `size` bytes, as the constructor's caller
        // promised.
        let element = unsafe { slice::from_raw_parts_mut(element, self.size) };
        let value: *const M = value;
        // SAFETY: the value is borrowed, and a C struct of `mirror.rs` has no padding.
        let value = unsafe { slice::from_raw_parts(value.cast::<u8>(), size_of::<M>()) };
        let (known, unknown) = element.split_at_mut(self.size.min(value.len()));
        known.iter_mut().zip(value).for_each(|(to, from)| _ = to.write(*from));
        unknown.iter_mut().for_each(|to| _ = to.write(0));
    }
}

/// The C struct of a record without texts.
fn without_strings<R, M: CStruct<R>>(record: &R) -> M {
    let mut strings = StringArena::default();
    let filled = M::from_record(record, &mut strings);
    // The arena ends here.
    assert!(strings.is_empty(), "a record with texts needs an owner for them");
    filled
}

/// Whether a struct of a newer or an older version may have that size. No `sizeof` ends in the
/// middle of a member: half a pointer must not be followed.
fn is_size_of_struct<M>(size: usize) -> bool {
    size <= LARGEST && size % align_of::<M>() == 0
}

/// Reads an options struct. NULL means the defaults, and members that the caller does not know are
/// zero.
///
/// # Safety
/// `options` is NULL or points to `size` bytes that may be read, and so do the pointers in it.
pub(crate) unsafe fn read<O: Default, C: FromC<O>>(
    options: *const C,
    size: usize,
) -> Result<O, Failure> {
    if options.is_null() {
        return Ok(O::default());
    }
    if !is_size_of_struct::<C>(size) {
        return Err(Failure::argument(
            format!("{size} is not a size of an options struct"),
            PASS_SIZEOF,
        ));
    }
    // SAFETY: that many bytes may be read, as the caller promised.
    let bytes = unsafe { slice::from_raw_parts(options.cast::<u8>(), size) };
    let (known, unknown) = bytes.split_at(size.min(size_of::<C>()));
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Failure::argument(
            "an option is set that this version does not know",
            "Leave it zero, or use the library that the program was built with.",
        ));
    }
    let mut copy = MaybeUninit::<C>::zeroed();
    // SAFETY: `known` is at most as long as the copy, which this function owns.
    unsafe { copy.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(known.as_ptr(), known.len()) };
    // SAFETY: an options struct consists of integers, flags of one byte and pointers, for which any
    // bytes are valid.
    unsafe { copy.assume_init() }.read()
}
