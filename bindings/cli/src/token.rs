//! Tokens, as the command line and the output write them.

use std::fmt;
use std::str::FromStr;

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

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Token, String> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // The parser of u32 would accept a sign.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(token) if is_hex && token != 0 => Ok(Token(token)),
            _ => Err("a token is 1 to 8 hexadecimal digits, not all of them 0, as \
                      `subflows connections` and `ss -Mi` print it"
                .to_owned()),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_not_tokens() {
        for text in ["", "0", "0x", "00000000", "123456789", "+1", "-1", "xyz", "0x0x1", " 1"] {
            assert!(text.parse::<Token>().is_err(), "{text:?}");
        }
    }
}
