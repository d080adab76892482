//! The place of each field of a record among the words: the one layout for Java and Rust.
//!
//! A record is a row of words: first a word whose bits mark the optional fields that are present,
//! then the fields. A field without a fixed length (text, a list) has one word in its row: the start
//! and the length of its value, which follows after all rows.

use anyhow::{Context, Result};
use subflows::table::{Field, RecordTable};

use crate::signature::{self, FieldType, Scalar};

/// One field and its place.
pub(super) struct Placed {
    pub field: &'static Field,
    /// The type, without "optional".
    pub ty: FieldType,
    /// The first of its words, counted from the start of the row.
    pub at: usize,
    /// Its bit in the first word, if it may be absent.
    pub bit: Option<usize>,
}

/// The fields of a record with their places.
pub(super) fn places(record: &RecordTable) -> Result<Vec<Placed>> {
    let mut at = 1;
    let mut bits = 0..u64::BITS as usize;
    let mut places = Vec::new();
    for signature::Member { field, ty, is_optional } in signature::members(record) {
        let bit = if is_optional {
            Some(bits.next().context("more than 64 may be absent")?)
        } else {
            None
        };
        places.push(Placed { field, ty, at, bit });
        at += width_of(ty)?;
    }
    Ok(places)
}

/// How many words a row of the record takes.
pub(super) fn width(record: &RecordTable) -> Result<usize> {
    match places(record)?.last() {
        Some(last) => Ok(last.at + width_of(last.ty)?),
        None => Ok(1),
    }
}

fn width_of(ty: FieldType) -> Result<usize> {
    Ok(match ty {
        FieldType::Value(scalar) => match scalar {
            Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => 1,
            Scalar::Bool | Scalar::Duration | Scalar::Enum(_) => 1,
            Scalar::Text | Scalar::Name => 1,
            Scalar::Ip | Scalar::Address => 3,
            Scalar::OptionValue => signature::no_place_for_values(),
        },
        FieldType::Record(record) => width(record)?,
        FieldType::List(_) => 1,
    })
}
