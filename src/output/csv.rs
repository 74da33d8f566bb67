//! CSV in the format of Python's `csv.writer`, with cliff's escape character `\`.

use super::Quote;
use crate::error::{Error, Result};

/// A value of a record.
pub(super) enum Field<'a> {
    /// A missing value, Python's None.
    Missing,
    /// A number or a boolean.
    Number(&'a str),
    /// A string.
    Text(&'a str),
}

/// Appends one line.
///
/// # Errors
/// Failed: without quotes, a line with one empty value cannot be distinguished from an empty line.
pub(super) fn write_line<'a>(
    out: &mut String,
    fields: impl Iterator<Item = Field<'a>>,
    quote: Quote,
) -> Result<()> {
    let start = out.len();
    let mut count = 0;
    for field in fields {
        if count > 0 {
            out.push(',');
        }
        count += 1;
        let (text, is_number) = match field {
            Field::Missing => ("", false),
            Field::Number(text) => (text, true),
            Field::Text(text) => (text, false),
        };
        let quoted = match quote {
            Quote::All => true,
            Quote::Nonnumeric => !is_number,
            Quote::Minimal => text.contains([',', '"', '\n']),
            Quote::None => false,
        };
        write_field(out, text, quote, quoted);
    }
    if count > 0 && out.len() == start {
        if quote == Quote::None {
            return Err(Error::failed("single empty field record must be quoted"));
        }
        out.push_str("\"\"");
    }
    out.push('\n');
    Ok(())
}

fn write_field(out: &mut String, text: &str, quote: Quote, quoted: bool) {
    if quoted {
        out.push('"');
    }
    if text.contains([',', '"', '\\', '\n']) {
        for c in text.chars() {
            match c {
                '\\' => out.push('\\'),
                ',' | '"' | '\n' if quote == Quote::None => out.push('\\'),
                '"' => out.push('"'),
                _ => {}
            }
            out.push(c);
        }
    } else {
        out.push_str(text);
    }
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quote: Quote) -> String {
        let fields = [
            Field::Text("a,b"),
            Field::Number("5"),
            Field::Missing,
            Field::Text("say \"hi\"\\"),
            Field::Text("x\r"),
        ];
        let mut out = String::new();
        write_line(&mut out, fields.into_iter(), quote).unwrap();
        out
    }

    #[test]
    fn quotes_follow_the_mode() {
        assert_eq!(
            line(Quote::All),
            "\"a,b\",\"5\",\"\",\"say \"\"hi\"\"\\\\\",\"x\r\"\n"
        );
        assert_eq!(
            line(Quote::Nonnumeric),
            "\"a,b\",5,\"\",\"say \"\"hi\"\"\\\\\",\"x\r\"\n"
        );
        assert_eq!(
            line(Quote::Minimal),
            "\"a,b\",5,,\"say \"\"hi\"\"\\\\\",x\r\n"
        );
        assert_eq!(line(Quote::None), "a\\,b,5,,say \\\"hi\\\"\\\\,x\r\n");
    }

    #[test]
    fn a_lone_empty_value_is_quoted_or_refused() {
        let mut out = String::new();
        write_line(&mut out, [Field::Text("")].into_iter(), Quote::Minimal).unwrap();
        assert_eq!(out, "\"\"\n");
        assert!(write_line(&mut out, [Field::Text("")].into_iter(), Quote::None).is_err());
    }
}
