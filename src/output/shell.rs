//! Records as variable assignments for a shell.
//!
//! `eval "$(openstack image show NAME -f shell)"` assigns exactly the values to the variables and executes
//! nothing, regardless of names, properties and tags. cliff escapes only double quotes.
//!
//! *Source:* `cliff/formatters/shell.py` for the names of the variables; POSIX.1-2024, Shell Command
//! Language, 2.2.3 "Double-Quotes".

use std::collections::BTreeSet;

use super::{Cell, Options, escape_for_terminal};

/// Appends `name="value"` for each field. Returns a warning for each omitted field, whose variable belongs
/// to another field.
pub(super) fn write_variables(
    text: &mut String,
    fields: &[(String, Cell)],
    options: &Options,
) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut warnings = Vec::new();
    let fields: Vec<(&str, String, &Cell)> = fields
        .iter()
        .filter_map(|(field, cell)| {
            let name = field.to_lowercase().replace(' ', "_");
            let is_wanted = options.variables.is_empty() || options.variables.contains(&name);
            is_wanted.then(|| (field.as_str(), identifier(&options.prefix, &name), cell))
        })
        .collect();
    // A field whose name is already a valid variable keeps it; fields whose name was changed do not replace
    // it.
    let is_exact =
        |field: &str, variable: &str| variable.strip_prefix(&options.prefix) == Some(field);
    let exact: BTreeSet<&str> = fields
        .iter()
        .filter(|(field, variable, _)| is_exact(field, variable))
        .map(|(_, variable, _)| variable.as_str())
        .collect();
    for (field, variable, cell) in &fields {
        let is_anothers = !is_exact(field, variable) && exact.contains(variable.as_str());
        if is_anothers || !taken.insert(variable.as_str()) {
            warnings.push(format!(
                "{field} is omitted: the variable {variable} belongs to another field"
            ));
            continue;
        }
        let start = text.len();
        text.push_str(variable);
        text.push_str("=\"");
        let mut value = String::new();
        cell.write_machine(&mut value);
        for c in value.chars() {
            match c {
                // No variable can contain it.
                '\0' => continue,
                '"' | '$' | '`' | '\\' => text.push('\\'),
                _ => {}
            }
            text.push(c);
        }
        text.push('"');
        escape_for_terminal(text, start, options.escapes());
        text.push('\n');
    }
    warnings
}

/// Returns the name of a variable: invalid characters become underscores.
fn identifier(prefix: &str, name: &str) -> String {
    let is_taken = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let letters = prefix.chars().chain(name.chars());
    let name: String = letters.map(|c| if is_taken(c) { c } else { '_' }).collect();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => format!("_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(fields: &[(&str, &str)], prefix: &str) -> (String, Vec<String>) {
        let fields: Vec<(String, Cell)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_string(), Cell::new(json!(value))))
            .collect();
        let options = Options {
            prefix: prefix.to_string(),
            ..Options::default()
        };
        let mut text = String::new();
        let warnings = write_variables(&mut text, &fields, &options);
        (text, warnings)
    }

    #[test]
    fn harmless_values_look_as_they_did() {
        let (text, warnings) = written(&[("Big Name", "a b"), ("os:x-y", "it's")], "p_");
        assert_eq!(text, "p_big_name=\"a b\"\np_os_x_y=\"it's\"\n");
        assert!(warnings.is_empty());
    }

    #[test]
    fn what_a_shell_expands_is_escaped() {
        let (text, _) = written(&[("name", "$(touch x)`id`\\\"\n!\0é")], "");
        assert_eq!(text, "name=\"\\$(touch x)\\`id\\`\\\\\\\"\n!é\"\n");
    }

    #[test]
    fn names_of_variables_are_identifiers() {
        for (prefix, name, variable) in [
            ("", "a;touch x", "a_touch_x"),
            ("", "$(id)", "__id_"),
            ("", "0day", "_0day"),
            ("p", "0day", "p0day"),
            ("", "", "_"),
            ("", "größe", "gr__e"),
            ("a=$(id);", "x", "a___id__x"),
        ] {
            assert_eq!(identifier(prefix, name), variable, "{prefix}{name}");
        }
    }

    #[test]
    fn a_variable_is_one_fields() {
        let fields = [
            ("min-disk", "evil"),
            ("min_disk", "1"),
            ("min disk", "evil"),
        ];
        let (text, warnings) = written(&fields, "");
        assert_eq!(text, "min_disk=\"1\"\n");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
