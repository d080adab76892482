//! What every entry uses.

pub(crate) use std::ffi::{c_char, c_int, c_void};
pub(crate) use std::mem::MaybeUninit;
pub(crate) use std::os::fd::{AsRawFd, IntoRawFd};

pub(crate) use libc::{sockaddr, sockaddr_storage, socklen_t};

pub(crate) use crate::convert;
pub(crate) use crate::deadline::milliseconds_until;
pub(crate) use crate::descriptor::socket;
pub(crate) use crate::enum_name::enum_name;
pub(crate) use crate::failure::Failure;
pub(crate) use crate::guard::guard;
pub(crate) use crate::handle::{self, hand_out};
pub(crate) use crate::mirror::*;
pub(crate) use crate::structs::{Out, read};
