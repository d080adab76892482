//! The names of core's items in C.

use heck::{ToShoutySnakeCase, ToSnakeCase};

use crate::words::{Word, options_stem, spelled};

/// The C name of a record.
pub fn c_record(name: &str) -> String {
    format!("subflows_{}", name.to_snake_case())
}

/// The C name of an options struct.
pub fn c_options(name: &str) -> String {
    format!("subflows_{}_options", options_stem(name).to_snake_case())
}

/// The C constant of an error kind.
pub fn c_kind(name: &str) -> String {
    format!("SUBFLOWS_E_{}", name.to_shouty_snake_case())
}

/// The C constant of a value of an enumeration.
pub fn c_variant(enumeration: &str, variant: &str) -> String {
    format!("SUBFLOWS_{}_{}", enumeration.to_shouty_snake_case(), variant.to_shouty_snake_case())
}

/// A sentence with the words in backticks as C spells them.
pub fn for_c(text: &str) -> String {
    spelled(text, |word| match word {
        Word::Operation(name) => format!("subflows_{name}()"),
        Word::Kind(kind) => c_kind(kind.name()),
        Word::Value(table, variant) => c_variant(table.name, variant.name),
        Word::Option(table, _, field) => {
            format!("`{}` of struct {}", field.name, c_options(table.name))
        }
        Word::Switched(switch, name) => format!("subflows_{switch}_{name}()"),
        Word::Method(handle, method) => format!("{}_{method}()", c_record(handle)),
        Word::Record(record) => format!("struct {}", c_record(record.name)),
        Word::Field(field) => format!("`{}`", field.name),
        Word::Other(word) => format!("`{word}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_backticks_are_spelled_as_in_c() {
        assert_eq!(for_c("see `open`"), "see subflows_open()");
        assert_eq!(for_c("fails with `NotReady`"), "fails with SUBFLOWS_E_NOT_READY");
        assert_eq!(for_c("(`Connect::control`)"), "(`control` of struct subflows_connect_options)");
        assert_eq!(for_c("call `Announced::turn_away`"), "call subflows_announced_turn_away()");
    }
}
