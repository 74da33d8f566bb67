//! Values in checks, with attributes of the target: `%(owner)s`.
//!
//! *Source:* Python's `%` operator on a string and a mapping.

use super::Attributes;

/// A text with attributes of the target in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Attribute(String),
}

impl Template {
    /// Parses a text: `%(NAME)s` is an attribute, `%%` is a percent sign.
    ///
    /// # Errors
    /// The reason why a percent sign begins neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut left = text;
        let mut plain = String::new();
        while let Some((before, after)) = left.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                left = after;
                continue;
            }
            let close = after.strip_prefix('(').and_then(closing);
            let Some((name, Some(after))) =
                close.map(|(name, rest)| (name, rest.strip_prefix('s')))
            else {
                return Err(format!(
                    "'%' in '{text}' is not followed by (NAME)s; write %% for a percent sign"
                ));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Attribute(name.to_string()));
            left = after;
        }
        plain.push_str(left);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Returns the text with the attributes of a target; None if one is missing.
    pub fn fill(&self, target: &dyn Attributes) -> Option<String> {
        if let [Part::Text(text)] = &self.0[..] {
            return Some(text.clone());
        }
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Attribute(name) => target.attribute(name),
        });
        parts.collect()
    }

    /// Returns the names of the attributes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Attribute(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }
}

/// Splits a text at the parenthesis that closes an earlier one.
fn closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Owner;

    impl Attributes for Owner {
        fn attribute(&self, name: &str) -> Option<String> {
            (name == "owner" || name == "target.image.owner").then(|| "demo".to_string())
        }
    }

    #[test]
    fn attributes_and_percent_signs_are_filled_in() {
        for (text, filled) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("%(owner)s", Some("demo")),
            ("a-%(owner)s-%(target.image.owner)s", Some("a-demo-demo")),
            ("100%%", Some("100%")),
            ("%%(owner)s", Some("%(owner)s")),
            ("%(other)s", None),
            ("%()s", None),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fill(&Owner).as_deref(), filled, "{text}");
        }
        for text in [
            "100%",
            "%s",
            "%(owner)",
            "%(owner",
            "%(owner)d",
            "% (owner)s",
        ] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
