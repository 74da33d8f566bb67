//! Parsing of values in oslo.config's notation.
//!
//! *Source:* `oslo_config/types.py`.

use std::collections::HashSet;

/// The maximum number of characters of a value in an error message.
const MAX_QUOTED: usize = 100;

/// Formats a value for an error message: one short line without control characters.
pub(in crate::config) fn quoted(value: &str) -> String {
    match value.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("'{}…'", value[..end].escape_debug()),
        None => format!("'{}'", value.escape_debug()),
    }
}

/// Parses true, yes, on, 1, or false, no, off, 0, in any case.
pub(in crate::config) fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Parses an integer as Python's `int` does: a sign, leading zeros, single underscores between digits.
pub(in crate::config) fn parse_integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    if well_formed {
        text.replace('_', "").parse().ok()
    } else {
        None
    }
}

/// Splits items at commas and removes surrounding white space; trailing commas do not count.
pub(in crate::config) fn parse_list(text: &str) -> Vec<String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// Parses items of `choices` between brackets, separated by commas, each with or without quotes.
pub(in crate::config) fn parse_bracketed_list(
    text: &str,
    choices: &[&str],
) -> Result<Vec<String>, String> {
    let text = text.trim().trim_end_matches(',');
    let Some(inner) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    else {
        return Err(format!(
            "{} is not a list in brackets: [a, b]",
            quoted(text)
        ));
    };
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    let mut items = Vec::new();
    for item in inner.split(',') {
        let item = item.trim();
        let plain = ['"', '\''].into_iter().find_map(|quote| {
            item.strip_prefix(quote)
                .and_then(|item| item.strip_suffix(quote))
        });
        let item = plain.unwrap_or(item);
        if !choices.is_empty() && !choices.contains(&item) {
            return Err(format!(
                "{} is not one of {}",
                quoted(item),
                choices.join(", ")
            ));
        }
        items.push(item.to_owned());
    }
    Ok(items)
}

/// Parses `name:value` pairs separated by commas; every name must be unique.
pub(in crate::config) fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut names = HashSet::new();
    if text.is_empty() {
        return Ok(pairs);
    }
    for pair in text.split(',') {
        let Some((key, value)) = pair.split_once(':') else {
            return Err(format!("{} is not NAME:VALUE", quoted(pair.trim())));
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(format!(
                "{} has no name before the ':'",
                quoted(pair.trim())
            ));
        }
        if !names.insert(key) {
            return Err(format!("{} is given twice", quoted(key)));
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Decodes `%XX`; a `%` before anything else is kept.
pub(in crate::config) fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        });
        if let (b'%', Some(code)) = (byte, code) {
            bytes.push(code);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_and_integers_are_spelled_as_in_oslo() {
        for (text, expected) in [
            ("TRUE", Some(true)),
            ("oN", Some(true)),
            ("0", Some(false)),
            ("t", None),
            ("", None),
        ] {
            assert_eq!(parse_boolean(text), expected, "{text}");
        }
        for (text, expected) in [
            ("1_000", Some(1000)),
            (" +5 ", Some(5)),
            ("-007", Some(-7)),
            ("1__0", None),
            ("_1", None),
            ("+-1", None),
            ("0x10", None),
            ("1.0", None),
            ("", None),
        ] {
            assert_eq!(parse_integer(text), expected, "{text}");
        }
    }

    #[test]
    fn pairs_need_both_halves_and_different_names() {
        assert_eq!(
            parse_pairs(" fast:file,\nslow : x:y ").unwrap(),
            [
                ("fast".to_owned(), "file".to_owned()),
                ("slow".to_owned(), "x:y".to_owned())
            ]
        );
        for text in ["fast", "fast:file,", "fast:file,slow", ":file", "a:b,a:c"] {
            assert!(parse_pairs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bracketed_lists_need_brackets_and_known_items() {
        let choices = &["a", "b"];
        assert_eq!(
            parse_bracketed_list("['a', b]", choices).unwrap(),
            ["a", "b"]
        );
        assert_eq!(parse_bracketed_list("[]", choices).unwrap(), [""; 0]);
        for text in ["a,b", "[a", "[c]", "[a,]", "[ ]", "['a]", ""] {
            assert!(parse_bracketed_list(text, choices).is_err(), "{text}");
        }
    }
}
