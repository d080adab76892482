//! Tokens, as the command line and the output write them.

use std::fmt;
use std::str::FromStr;

use subflows::ErrorKind;

use crate::failure::Failure;

/// The local token of a connection, in the hexadecimal digits of `ss -Mi`.
///
/// ```
/// use subflows_cli::Token;
///
/// let token: Token = "4f2a9c1".parse().unwrap();
/// assert_eq!(token, "0x04F2A9C1".parse().unwrap());
/// assert_eq!(token.to_string(), "04f2a9c1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u32);

const WRONG: &str = "a token is 1 to 8 hexadecimal digits, as `subflows connections` and `ss -Mi` print \
                     it, or a decimal number up to 4294967295, and not 0";

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Token, &'static str> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // The parser of u32 would accept a sign.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(token) if is_hex && token != 0 => Ok(Token(token)),
            _ => Err(WRONG),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A token as the user wrote it: in hexadecimal digits, as this command, `ss` and `ip mptcp monitor` print it, or
/// in decimal digits, as a program prints the number. A text without `0x` and without letters may be either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenToken {
    likely: Token,
    /// The other reading.
    decimal: Option<Token>,
}

impl FromStr for WrittenToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<WrittenToken, &'static str> {
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
        let decimal = text.parse().ok().filter(|token| is_decimal && *token != 0).map(Token);
        match (text.parse::<Token>(), decimal) {
            (Ok(likely), decimal) => Ok(WrittenToken { likely, decimal }),
            (Err(_), Some(likely)) => Ok(WrittenToken { likely, decimal: None }),
            (Err(error), None) => Err(error),
        }
    }
}

impl WrittenToken {
    /// Returns the token that was meant: if both readings are possible, the one that a connection has.
    pub(crate) fn resolve(self) -> Result<Token, Failure> {
        self.choose(|token| subflows::connection(token.0).is_ok())
    }

    fn choose(self, exists: impl Fn(Token) -> bool) -> Result<Token, Failure> {
        let hex = self.likely;
        let Some(decimal) = self.decimal.filter(|decimal| *decimal != hex) else { return Ok(hex) };
        match (exists(hex), exists(decimal)) {
            (true, true) => {
                let text = format!(
                    "the token {} names two connections: {hex} in hexadecimal digits, and {decimal}",
                    decimal.0
                );
                Err(Failure::new(ErrorKind::InvalidArgument, text)
                    .remedy(format!("Write 0x{hex} or 0x{decimal}.")))
            }
            (false, true) => Ok(decimal),
            _ => Ok(hex),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_not_tokens() {
        for text in [
            "",
            "0",
            "0x",
            "00000000",
            "4294967296",
            "+1",
            "-1",
            "xyz",
            "0x0x1",
            " 1",
            "0x123456789",
        ] {
            assert!(text.parse::<WrittenToken>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn both_bases_are_understood() {
        let written = |text: &str| text.parse::<WrittenToken>().unwrap();
        let none = |_| false;
        assert_eq!(written("1f").choose(none).unwrap(), Token(0x1f));
        assert_eq!(written("1328192513").choose(none).unwrap(), Token(1_328_192_513));
        // Nine digits and more are too many for a hexadecimal token.
        assert_eq!(written("123456789").choose(none).unwrap(), Token(123_456_789));
    }

    #[test]
    fn digits_alone_name_the_connection_that_exists() {
        let written = "12345678".parse::<WrittenToken>().unwrap();
        let (hex, decimal) = (Token(0x1234_5678), Token(12_345_678));
        assert_eq!(written.choose(|token| token == hex).unwrap(), hex);
        assert_eq!(written.choose(|token| token == decimal).unwrap(), decimal);
        assert_eq!(written.choose(|_| false).unwrap(), hex);
        let error = written.choose(|_| true).unwrap_err().to_string();
        assert!(error.contains("0x12345678 or 0x00bc614e"), "{error}");
        let sure = "0x12345678".parse::<WrittenToken>().unwrap();
        assert_eq!(sure.choose(|_| true).unwrap(), hex);
        assert_eq!("7".parse::<WrittenToken>().unwrap().choose(|_| true).unwrap(), Token(7));
    }
}
