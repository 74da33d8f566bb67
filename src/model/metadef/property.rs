//! Definitions of properties, in the form that the reference implementation stores and shows.
//!
//! *Source:* `glance/api/v2/model/metadef_property_type.py` of the reference implementation, and WSME's
//! treatment of the types in it.

use serde_json::{Number, Value, json};

use super::Definition;

/// The type of an attribute of a property.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Texts,
    /// Any single value, stored as text.
    Default,
    Boolean,
    Integer,
    /// The type of a list's items: `{"type": TEXT, "enum": TEXTS}`.
    Items,
}

/// The attributes, in the order of the API.
const ATTRIBUTES: [(&str, Holds); 19] = [
    ("name", Holds::Text),
    ("type", Holds::Text),
    ("title", Holds::Text),
    ("description", Holds::Text),
    ("operators", Holds::Texts),
    ("default", Holds::Default),
    ("readonly", Holds::Boolean),
    ("minimum", Holds::Integer),
    ("maximum", Holds::Integer),
    ("enum", Holds::Texts),
    ("pattern", Holds::Text),
    ("minLength", Holds::Integer),
    ("maxLength", Holds::Integer),
    ("confidential", Holds::Boolean),
    ("items", Holds::Items),
    ("uniqueItems", Holds::Boolean),
    ("minItems", Holds::Integer),
    ("maxItems", Holds::Integer),
    ("additionalItems", Holds::Boolean),
];

/// Converts a definition to its stored form: attributes in order, values converted.
///
/// # Errors
/// The attribute that is unknown, missing, or has an invalid value.
pub fn kept(definition: &Definition) -> Result<Definition, String> {
    let is_known = |name: &str| ATTRIBUTES.iter().any(|(known, _)| *known == name);
    if let Some(name) = definition.keys().find(|name| !is_known(name)) {
        return Err(format!("'{name}' is not an attribute of a property"));
    }
    for name in ["type", "title"] {
        if !definition.contains_key(name) {
            return Err(format!("'{name}' is a required property"));
        }
    }
    let mut kept = Definition::new();
    for (name, holds) in ATTRIBUTES {
        if let Some(value) = definition.get(name) {
            let converted = holds.convert(value).ok_or_else(|| holds.wrong(name))?;
            kept.insert(name.to_string(), converted);
        }
    }
    Ok(kept)
}

/// Converts a definition to its shown form. Values from loaded files that cannot be converted are shown
/// unchanged.
pub fn shown(mut definition: Definition) -> Definition {
    let mut shown = Definition::new();
    for (name, holds) in ATTRIBUTES {
        if let Some(value) = definition.shift_remove(name) {
            let value = holds.convert(&value).unwrap_or(value);
            shown.insert(name.to_string(), value);
        }
    }
    shown.extend(definition);
    shown
}

impl Holds {
    /// Returns the stored form of the value; None for an invalid value.
    fn convert(self, value: &Value) -> Option<Value> {
        if value.is_null() {
            return Some(Value::Null);
        }
        match self {
            Self::Text => value.is_string().then(|| value.clone()),
            Self::Texts => {
                let is_text = |item: &Value| item.is_string() || item.is_null();
                let fits = value.as_array()?.iter().all(is_text);
                fits.then(|| value.clone())
            }
            Self::Default => match value {
                // The reference implementation cannot show a namespace with non-ASCII text here.
                Value::String(text) => text.is_ascii().then(|| value.clone()),
                Value::Bool(truth) => Some(json!(if *truth { "True" } else { "False" })),
                Value::Number(number) => Some(json!(number.to_string())),
                _ => Some(Value::Null),
            },
            Self::Boolean => match value {
                Value::Bool(_) => Some(value.clone()),
                Value::Number(number) => Some(json!(number.as_i64()? != 0)),
                Value::String(word) => match word.as_str() {
                    "true" | "t" | "yes" | "y" | "on" | "1" => Some(json!(true)),
                    "false" | "f" | "no" | "n" | "off" | "0" => Some(json!(false)),
                    _ => None,
                },
                _ => None,
            },
            Self::Integer => match value {
                Value::Bool(truth) => Some(json!(i64::from(*truth))),
                Value::Number(number) => whole(number),
                Value::String(digits) => digits.trim().parse::<i64>().ok().map(Value::from),
                _ => None,
            },
            Self::Items => {
                let fields = value.as_object()?;
                let mut items = Definition::new();
                let kind = Self::Text.convert(fields.get("type")?)?;
                items.insert("type".to_string(), kind);
                if let Some(listed) = fields.get("enum") {
                    items.insert("enum".to_string(), Self::Texts.convert(listed)?);
                }
                (items.len() == fields.len()).then_some(Value::Object(items))
            }
        }
    }

    /// Returns the error for an invalid value.
    fn wrong(self, name: &str) -> String {
        let wanted = match self {
            Self::Text => "a text",
            Self::Texts => "a list of strings",
            Self::Default => "an ASCII string",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Items => "an object with 'type' and 'enum', the latter a list of strings",
        };
        format!("'{name}' of a property must be {wanted}")
    }
}

/// Returns the integer part of a number.
fn whole(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let text = format!("{:.0}", number.as_f64()?.trunc());
    text.parse::<i64>().ok().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(more: &Value) -> Definition {
        let mut definition = json!({"title": "T", "type": "string"});
        let fields = definition.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        fields.clone()
    }

    #[test]
    fn values_are_converted_as_the_reference_implementation_does() {
        for (given, expected) in [
            (json!({"default": 2}), json!({"default": "2"})),
            (json!({"default": true}), json!({"default": "True"})),
            (json!({"default": 1.5}), json!({"default": "1.5"})),
            (json!({"default": [1]}), json!({"default": null})),
            (json!({"minimum": 1.7}), json!({"minimum": 1})),
            (json!({"maximum": "3"}), json!({"maximum": 3})),
            (json!({"minLength": true}), json!({"minLength": 1})),
            (json!({"readonly": "yes"}), json!({"readonly": true})),
            (json!({"readonly": 2}), json!({"readonly": true})),
            (json!({"enum": ["a", null]}), json!({"enum": ["a", null]})),
            (
                json!({"items": {"enum": ["x"], "type": "string"}}),
                json!({"items": {"type": "string", "enum": ["x"]}}),
            ),
        ] {
            let kept = kept(&definition(&given)).unwrap();
            assert_eq!(kept, definition(&expected), "{given}");
            assert_eq!(shown(definition(&given)), kept);
        }
        let in_order = kept(&definition(&json!({"maximum": 1, "name": "n"}))).unwrap();
        let names: Vec<&String> = in_order.keys().collect();
        assert_eq!(names, ["name", "type", "title", "maximum"]);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_and_shown_as_it_is() {
        for given in [
            json!({"foo": 1}),
            json!({"required": ["x"]}),
            json!({"default": "é"}),
            json!({"enum": [1]}),
            json!({"enum": "x"}),
            json!({"minimum": "x"}),
            json!({"readonly": "maybe"}),
            json!({"items": {}}),
            json!({"items": {"type": "string", "foo": 1}}),
            json!({"title": 5}),
        ] {
            let definition = definition(&given);
            assert!(kept(&definition).is_err(), "{given}");
            assert_eq!(shown(definition.clone()), definition, "{given}");
        }
        let untyped = json!({"title": "T"});
        assert!(kept(untyped.as_object().unwrap()).is_err());
    }
}
