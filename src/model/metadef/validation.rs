//! The part of JSON Schema that the schemas of metadata definitions use.
//!
//! *Source:* <https://json-schema.org/draft-04/json-schema-validation>; the messages, and the choice among
//! several errors, are those of Python's jsonschema.

use serde_json::{Map, Value};

/// The maximum number of characters of a value in a message.
const MAX_LITERAL: usize = 80;

/// Validates an object against a schema.
///
/// # Errors
/// The violation: the least nested one, and the first of several.
pub fn check(object: &Map<String, Value>, schema: &Value) -> Result<(), String> {
    let mut finder = Finder {
        schema,
        found: None,
    };
    finder.check_object(object, schema, 0);
    match finder.found {
        Some((_, message)) => Err(message),
        None => Ok(()),
    }
}

/// A search for violations, which keeps the one to report.
struct Finder<'s> {
    /// The whole schema, for references.
    schema: &'s Value,
    /// The depth of the violation and its message.
    found: Option<(usize, String)>,
}

impl Finder<'_> {
    fn wrong(&mut self, depth: usize, message: impl FnOnce() -> String) {
        if self.is_open(depth) {
            self.found = Some((depth, message()));
        }
    }

    /// Returns whether a violation at that depth would replace the one found so far.
    fn is_open(&self, depth: usize) -> bool {
        self.found.as_ref().is_none_or(|(known, _)| depth < *known)
    }

    fn check(&mut self, value: &Value, schema: &Value, depth: usize) {
        if !self.is_open(depth) {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/definitions/");
            let referred = self.schema["definitions"][name].clone();
            return self.check(value, &referred, depth);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(value, part, depth);
        }
        if let Some(kind) = schema["type"].as_str()
            && !is_of(value, kind)
        {
            self.wrong(depth, || {
                format!("{} is not of type '{kind}'", literal(value))
            });
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            let words: Vec<String> = words.iter().map(literal).collect();
            self.wrong(depth, || {
                format!("{} is not one of [{}]", literal(value), words.join(", "))
            });
        }
        match value {
            Value::String(text) => self.check_text(text, value, schema, depth),
            Value::Number(number) => {
                if let Some(least) = schema["minimum"].as_i64()
                    && number
                        .as_i64()
                        .map_or(number.as_f64() < Some(0.0), |n| n < least)
                {
                    self.wrong(depth, || {
                        format!("{number} is less than the minimum of {least}")
                    });
                }
            }
            Value::Array(items) => self.check_items(items, value, schema, depth),
            Value::Object(fields) => self.check_object(fields, schema, depth),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_text(&mut self, text: &str, value: &Value, schema: &Value, depth: usize) {
        let most = schema["maxLength"]
            .as_u64()
            .and_then(|most| most.try_into().ok());
        if let Some(most) = most
            && text.chars().nth(most).is_some()
        {
            self.wrong(depth, || {
                format!("{} is too long: {most} characters may be", literal(value))
            });
        }
    }

    fn check_items(&mut self, items: &[Value], value: &Value, schema: &Value, depth: usize) {
        if items.is_empty() && schema["minItems"].as_u64() > Some(0) {
            self.wrong(depth, || "[] should be non-empty".to_string());
        }
        if schema["uniqueItems"] == Value::Bool(true) && has_twins(items) {
            self.wrong(depth, || {
                format!("{} has non-unique elements", literal(value))
            });
        }
        let of_each = &schema["items"];
        if of_each.is_object() {
            for item in items {
                self.check(item, of_each, depth + 1);
            }
        }
    }

    fn check_object(&mut self, fields: &Map<String, Value>, schema: &Value, depth: usize) {
        for name in schema["required"].as_array().into_iter().flatten() {
            if let Some(name) = name.as_str()
                && !fields.contains_key(name)
            {
                self.wrong(depth, || format!("'{name}' is a required property"));
            }
        }
        let known = &schema["properties"];
        let is_known = |name: &str| known.get(name).is_some();
        let others = &schema["additionalProperties"];
        if *others == Value::Bool(false) {
            let odd = fields.keys().filter(|name| !is_known(name));
            let odd: Vec<String> = odd.map(|name| quoted(name)).collect();
            if !odd.is_empty() {
                let verb = if odd.len() == 1 { "was" } else { "were" };
                self.wrong(depth, || {
                    let odd: String = odd.join(", ").chars().take(MAX_LITERAL).collect();
                    format!("Additional properties are not allowed ({odd} {verb} unexpected)")
                });
            }
        }
        for (name, value) in fields {
            if let Some(schema) = known.get(name) {
                self.check(value, schema, depth + 1);
            } else if others.is_object() {
                self.check(value, others, depth + 1);
            }
        }
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => match value.as_f64() {
            Some(number) => value.is_i64() || value.is_u64() || number.fract() == 0.0,
            None => false,
        },
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

/// Returns whether a list contains equal strings.
fn has_twins(items: &[Value]) -> bool {
    let mut seen = std::collections::HashSet::new();
    items
        .iter()
        .filter_map(Value::as_str)
        .any(|text| !seen.insert(text))
}

/// Returns the beginning of a value in Python's notation.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) if items.is_empty() => "[]".to_string(),
        Value::Array(_) => "[…]".to_string(),
        Value::Object(_) => "{…}".to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut short = String::new();
    for letter in text.chars().take(MAX_LITERAL) {
        if letter.is_control() {
            short.extend(letter.escape_default());
        } else {
            short.push(letter);
        }
    }
    let rest = if text.chars().nth(MAX_LITERAL).is_some() {
        "…"
    } else {
        ""
    };
    format!("'{short}{rest}'")
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use serde_json::{Value, json};

    fn checked(kind: Kind, value: &Value) -> Result<(), String> {
        kind.check(value.as_object().unwrap())
    }

    #[test]
    fn what_does_not_fit_is_refused_in_the_validators_words() {
        let property =
            |more: Value| json!({"properties": {"p": more}, "namespace": "n", "name": "o"});
        for (kind, value, message) in [
            (
                Kind::Namespace,
                json!({}),
                "'namespace' is a required property",
            ),
            (
                Kind::Namespace,
                json!({"namespace": 1}),
                "1 is not of type 'string'",
            ),
            (
                Kind::Namespace,
                json!({"namespace": "n", "visibility": "odd"}),
                "'odd' is not one of ['public', 'private']",
            ),
            (
                Kind::Tag,
                json!({"name": "n", "two\nlines": 1}),
                "Additional properties are not allowed ('two\\nlines' was unexpected)",
            ),
            (
                Kind::Namespace,
                json!({"namespace": "n", "a": 1, "b": null}),
                "Additional properties are not allowed ('a', 'b' were unexpected)",
            ),
            (
                Kind::Tag,
                json!({"name": "é".repeat(81)}),
                "'éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé…' is too long: 80 characters may be",
            ),
            (
                Kind::Property,
                json!({"name": "p", "title": "P", "type": "nonsense"}),
                "'nonsense' is not one of ['array', 'boolean', 'integer', 'number', 'object', 'string', None]",
            ),
            (
                Kind::Property,
                json!({"name": "p", "title": "P", "type": "array", "minItems": -1}),
                "-1 is less than the minimum of 0",
            ),
            (
                Kind::Property,
                json!({"name": "p", "title": "P", "type": "array", "maxItems": 1.5}),
                "1.5 is not of type 'integer'",
            ),
            (
                Kind::Property,
                json!({"name": "p", "title": "P", "type": "array", "required": []}),
                "[] should be non-empty",
            ),
            (
                Kind::Object,
                json!({"name": "o", "required": ["a", "a"]}),
                "[…] has non-unique elements",
            ),
            (
                Kind::Namespace,
                json!({"namespace": "n", "properties": {"p": {"type": "string"}}}),
                "'title' is a required property",
            ),
            (
                Kind::Namespace,
                json!({"namespace": "n", "objects": [{"properties": {"p": 1}}], "tags": [1]}),
                "1 is not of type 'object'",
            ),
        ] {
            assert_eq!(checked(kind, &value), Err(message.to_string()), "{value}");
        }
        // The least nested violation is reported first.
        let deep_first = json!({"properties": {"p": {"title": 1, "type": "string"}}, "name": 2});
        assert_eq!(
            checked(Kind::Object, &deep_first),
            Err("2 is not of type 'string'".to_string())
        );
        let untitled = property(json!({"type": "string"}));
        assert!(checked(Kind::Object, &untitled).is_err(), "{untitled}");
    }

    #[test]
    fn what_fits_passes() {
        for (kind, value) in [
            (
                Kind::Namespace,
                json!({"namespace": "é".repeat(80), "protected": true, "properties":
                    {"p": {"title": "P", "type": "integer", "maximum": 2.0, "minLength": 0, "default": [1]}},
                    "objects": [{"name": "o", "required": ["a", "b"]}], "tags": [{"name": "t"}],
                    "resource_type_associations": [{"name": "r", "prefix": "p"}]}),
            ),
            (Kind::Object, json!({"name": ""})),
            (
                Kind::ResourceType,
                json!({"name": "r", "properties_target": "t"}),
            ),
        ] {
            assert_eq!(checked(kind, &value), Ok(()), "{value}");
        }
    }
}
