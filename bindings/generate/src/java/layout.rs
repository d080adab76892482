//! Where each field of a record stands among the words: the one plan that both languages follow.
//!
//! A record is a row of words: first one whose bits say which of the fields that may be absent are
//! there, then the fields. What has no fixed length (text, lists) is one word that says where it is
//! behind all rows, and how long.

use anyhow::{Context, Result, bail};
use subflows::RECORDS;
use subflows::table::{Field, RecordTable, Ty};

/// One field in its place.
pub(super) struct Placed {
    pub field: &'static Field,
    /// The type, without "optional".
    pub ty: Ty,
    /// The first of its words, counted from the start of the row.
    pub at: usize,
    /// Its bit in the first word, where it may be absent.
    pub bit: Option<usize>,
}

/// The fields of a record in their places.
pub(super) fn places(record: &RecordTable) -> Result<Vec<Placed>> {
    let mut at = 1;
    let mut bits = 0..u64::BITS as usize;
    let mut places = Vec::new();
    for field in record.fields {
        let (ty, bit) = match field.ty {
            Ty::Optional(inner) => {
                (*inner, Some(bits.next().context("more than 64 may be absent")?))
            }
            ty => (ty, None),
        };
        places.push(Placed { field, ty, at, bit });
        at += width_of(&ty)?;
    }
    Ok(places)
}

/// How many words a row of the record takes.
pub(super) fn width(record: &RecordTable) -> Result<usize> {
    match places(record)?.last() {
        Some(last) => Ok(last.at + width_of(&last.ty)?),
        None => Ok(1),
    }
}

fn width_of(ty: &Ty) -> Result<usize> {
    Ok(match ty {
        Ty::U8 | Ty::U16 | Ty::U32 | Ty::U64 | Ty::Bool | Ty::Enum(_) => 1,
        Ty::Text | Ty::Name | Ty::List(_) => 1,
        Ty::Ip | Ty::Address => 3,
        Ty::Record(name) => {
            let record = RECORDS.iter().find(|record| record.name == *name);
            width(record.context("every record is in the list")?)?
        }
        other => bail!("{other:?} has no place among the words yet"),
    })
}
