//! Value parsers with upstream's rules and messages.

use clap::builder::{StringValueParser, TypedValueParser};

use crate::model::ImageStatus;

/// Parses an integer like Python: surrounding whitespace, a sign, and `_` between digits are allowed.
pub fn int(text: &str) -> Result<i64, String> {
    let wrong = || format!("invalid int value: '{text}'");
    let number = text.trim();
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let well_formed = digits
        .split('_')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed {
        return Err(wrong());
    }
    number.replace('_', "").parse().map_err(|_| wrong())
}

/// Parses a non-negative integer.
///
/// Upstream's message begins with the option's name, which is unknown here.
pub fn non_negative(text: &str) -> Result<u64, String> {
    u64::try_from(int(text)?).map_err(|_| "expected a non-negative integer".to_owned())
}

/// Parses `key=value`, split at the first `=`. The value may be empty, the key may not.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err(format!("Property key must be specified: {text}")),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("Expected 'key=value' type, but got: {text}")),
    }
}

/// Parses a boolean of an option derived from a schema; other words are rejected.
pub fn strict_bool(text: &str) -> Result<bool, String> {
    parse_bool(text).ok_or_else(|| format!("invalid boolean value: '{text}'"))
}

/// Parses a boolean of the other `[True|False]` options of the first grammar; other words are false.
pub fn loose_bool() -> impl TypedValueParser<Value = bool> {
    StringValueParser::new().map(|text| parse_bool(&text).unwrap_or(false))
}

/// Parses a boolean word; `None` for any other word.
///
/// *Source:* oslo.utils `strutils.bool_from_string`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// Parses the status of an image.
pub fn status(text: &str) -> Result<ImageStatus, String> {
    text.parse().map_err(|_| {
        let names = ImageStatus::ALL.map(|status| format!("'{}'", status.name()));
        format!(
            "invalid choice: '{text}' (choose from {})",
            names.join(", ")
        )
    })
}

/// Parses a positive size in bytes.
pub fn image_size(text: &str) -> Result<u64, String> {
    let size =
        int(text).map_err(|_| format!("'{text}' is not a valid size (use a positive integer)"))?;
    u64::try_from(size)
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| "Size must be a positive integer".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_reads_what_python_reads() {
        for (text, number) in [("5", 5), (" 7 ", 7), ("-3", -3), ("+4", 4), ("1_000", 1000)] {
            assert_eq!(int(text), Ok(number));
        }
        for text in ["", "x", "-", "1.5", "_1", "1__0", "- 1", "0x10"] {
            assert_eq!(int(text), Err(format!("invalid int value: '{text}'")));
        }
    }

    #[test]
    fn non_negative_refuses_what_is_below_zero() {
        assert_eq!(non_negative("0"), Ok(0));
        assert_eq!(
            non_negative("-1"),
            Err("expected a non-negative integer".to_owned())
        );
        assert_eq!(non_negative("x"), Err("invalid int value: 'x'".to_owned()));
    }

    #[test]
    fn key_value_splits_at_the_first_equals_sign() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(key_value("a="), Ok(("a".to_owned(), String::new())));
        assert!(key_value("=b").is_err());
        assert_eq!(
            key_value("plain"),
            Err("Expected 'key=value' type, but got: plain".to_owned())
        );
    }

    #[test]
    fn booleans_differ_in_what_they_do_with_other_words() {
        assert_eq!(strict_bool(" Yes "), Ok(true));
        assert_eq!(strict_bool("OFF"), Ok(false));
        assert!(strict_bool("maybe").is_err());
        let loose = |text: &str| {
            let command = clap::Command::new("test");
            loose_bool().parse_ref(&command, None, text.as_ref()).ok()
        };
        assert_eq!(loose("t"), Some(true));
        assert_eq!(loose("maybe"), Some(false));
    }
}
