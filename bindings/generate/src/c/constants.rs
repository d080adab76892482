//! The constants of the interface.

use heck::ToShoutySnakeCase;
use subflows::{ENUMERATIONS, ErrorKind};

use super::abi::Abi;
use super::names;

/// Constants that were renamed: the former name, and the current one.
pub(super) const FORMER_NAMES: [(&str, &str); 1] =
    [("SUBFLOWS_SUBFLOW_STATE_CLOSE", "SUBFLOWS_SUBFLOW_STATE_CLOSED")];

/// Every constant of the interface with its number.
pub(super) fn all(abi: &Abi) -> Vec<(String, i64)> {
    let kinds = ErrorKind::ALL.iter();
    let kinds = kinds.map(|kind| (names::c_kind(kind.name()), i64::from(kind.code())));
    let variants = ENUMERATIONS.iter().flat_map(|enumeration| {
        let constant = |variant: &subflows::table::Variant| {
            (names::c_variant(enumeration.name, variant.name), i64::from(variant.number))
        };
        enumeration.variants.iter().map(constant)
    });
    let bits = abi.bits().map(|(structure, field, bit)| (presence(structure, field), 1i64 << bit));
    let mut constants: Vec<_> = kinds.chain(variants).chain(bits).collect();
    for (former, name) in FORMER_NAMES {
        let number = constants.iter().find(|(known, _)| known == name).map(|(_, number)| *number);
        constants.extend(number.map(|number| (former.to_owned(), number)));
    }
    constants
}

/// The constant of one bit of a presence word.
pub(super) fn presence(structure: &str, field: &str) -> String {
    format!("{}_HAS_{}", structure.to_shouty_snake_case(), field.to_shouty_snake_case())
}
