//! Lookup of options: in the environment, in the files, and by former names. References to other options
//! are expanded, and values are parsed.
//!
//! *Source:* `oslo_config/cfg.py` (`_Namespace._get_file_value`, `ConfigOpts._substitute`),
//! `oslo_config/types.py`, `oslo_config/sources/_environment.py`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::ini::{Ini, normalize_section};
use super::options::{EACH_STORE, ENABLED_BACKENDS, Kind, OptionSpec, find_option};
use super::values::{
    parse_boolean, parse_bracketed_list, parse_integer, parse_list, parse_pairs, quoted,
};
use crate::config::environment::Environment;
use crate::error::{Error, Result};

/// The maximum depth of references in values of references.
const MAX_REFERENCE_DEPTH: usize = 16;

/// The sources of values; later files take precedence.
#[derive(Debug)]
pub(in crate::config) struct Reader<'a> {
    pub(in crate::config) files: &'a [Ini],
    /// The environment; its `OS_SECTION__OPTION` takes precedence over every file.
    pub(in crate::config) environment: Option<&'a Environment>,
    /// Defaults that replace those of the table.
    pub(in crate::config) defaults: Vec<(&'static OptionSpec, String)>,
}

/// An option in the section to search.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Lookup<'s> {
    spec: &'static OptionSpec,
    section: &'s str,
}

impl OptionSpec {
    /// Returns this option in the section of the store `id`.
    pub(in crate::config) fn of<'s>(&'static self, id: &'s str) -> Lookup<'s> {
        Lookup {
            spec: self,
            section: id,
        }
    }
}

impl From<&'static OptionSpec> for Lookup<'_> {
    fn from(spec: &'static OptionSpec) -> Self {
        Self {
            spec,
            section: spec.section,
        }
    }
}

/// A value and its place, so that it can still be refused later.
#[derive(Debug)]
pub(in crate::config) struct Located<'a, T> {
    pub(in crate::config) value: T,
    place: Place<'a>,
    name: String,
}

impl<T> Located<'_, T> {
    /// Returns whether no file and no variable sets the option.
    pub(in crate::config) fn is_default(&self) -> bool {
        matches!(self.place, Place::Default)
    }

    /// Returns the error that refuses this value: `FILE:LINE: [section] option: why`.
    pub(in crate::config) fn refuse(&self, why: impl fmt::Display) -> Error {
        refuse(&self.place, &self.name, why)
    }
}

/// The place of a value.
#[derive(Clone, Debug)]
enum Place<'a> {
    File(&'a Path, usize),
    Variable(String),
    Default,
}

/// A value as written.
struct Found<'a> {
    raw: Cow<'a, str>,
    place: Place<'a>,
}

fn refuse(place: &Place<'_>, name: &str, why: impl fmt::Display) -> Error {
    Error::failed(match place {
        Place::File(path, line) => format!("{}:{line}: {name}: {why}", path.display()),
        Place::Variable(variable) => format!("environment variable {variable}: {name}: {why}"),
        Place::Default => format!("{name}: {why}"),
    })
}

impl<'a> Reader<'a> {
    /// Returns a text; None if it is not set and has no default.
    pub(in crate::config) fn text<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Option<Located<'a, String>>> {
        let lookup = lookup.into();
        let Some(found) = self.find(lookup) else {
            return Ok(None);
        };
        let value = self.located(lookup, found)?;
        match lookup.spec.kind {
            Kind::Choice(choices) if !choices.contains(&value.value.as_str()) => {
                Err(value.refuse(format_args!(
                    "{} is not one of {}",
                    quoted(&value.value),
                    choices.join(", ")
                )))
            }
            _ => Ok(Some(value)),
        }
    }

    /// Returns a text; None if it is empty, or not set and without a default.
    pub(in crate::config) fn text_if_any<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Option<Located<'a, String>>> {
        Ok(self.text(lookup)?.filter(|text| !text.value.is_empty()))
    }

    /// Returns the text of an option that has a default.
    pub(in crate::config) fn text_or_default<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Located<'a, String>> {
        let lookup = lookup.into();
        Ok(self.text(lookup)?.unwrap_or_else(|| Located {
            value: String::new(),
            place: Place::Default,
            name: name_of(lookup),
        }))
    }

    pub(in crate::config) fn boolean<'s>(&'a self, lookup: impl Into<Lookup<'s>>) -> Result<bool> {
        let text = self.text_or_default(lookup)?;
        parse_boolean(&text.value).ok_or_else(|| {
            text.refuse(format_args!(
                "{} is neither true nor false",
                quoted(&text.value)
            ))
        })
    }

    pub(in crate::config) fn integer<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Located<'a, i128>> {
        let lookup = lookup.into();
        let mut text = self.text_or_default(lookup)?;
        if text.value.trim().is_empty() {
            // An empty number counts as unset, as in oslo.config.
            text.value.clear();
            text.value.push_str(lookup.spec.default.unwrap_or_default());
        }
        let Some(value) = parse_integer(&text.value) else {
            return Err(text.refuse(format_args!(
                "{} is not a whole number",
                quoted(&text.value)
            )));
        };
        if let Kind::Integer { minimum, maximum } = lookup.spec.kind {
            if value < minimum {
                return Err(text.refuse(format_args!("{value} is less than {minimum}")));
            }
            if value > maximum {
                return Err(text.refuse(format_args!("{value} is more than {maximum}")));
            }
        }
        Ok(Located {
            value,
            place: text.place,
            name: text.name,
        })
    }

    /// Returns a list, with or without brackets depending on its kind.
    pub(in crate::config) fn list<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Located<'a, Vec<String>>> {
        let lookup = lookup.into();
        let text = self.text_or_default(lookup)?;
        let items = match lookup.spec.kind {
            Kind::BracketedList(choices) => parse_bracketed_list(&text.value, choices),
            _ => Ok(parse_list(&text.value)),
        };
        match items {
            Ok(value) => Ok(Located {
                value,
                place: text.place,
                name: text.name,
            }),
            Err(why) => Err(text.refuse(why)),
        }
    }

    /// Returns the `key:value` pairs in order; empty if the option is not set.
    pub(in crate::config) fn pairs<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Located<'a, Vec<(String, String)>>> {
        let text = self.text_or_default(lookup)?;
        match parse_pairs(&text.value) {
            Ok(value) => Ok(Located {
                value,
                place: text.place,
                name: text.name,
            }),
            Err(why) => Err(text.refuse(why)),
        }
    }

    /// Returns every value of a repeated option: earlier files first, in each file those of former names last.
    pub(in crate::config) fn repeated<'s>(
        &'a self,
        lookup: impl Into<Lookup<'s>>,
    ) -> Result<Vec<Located<'a, String>>> {
        let lookup = lookup.into();
        let section = normalize_section(lookup.section);
        if let Some(found) = self.find_variable(&section, lookup.spec.name) {
            return Ok(vec![self.located(lookup, found)?]);
        }
        let name = (&*section, lookup.spec.name);
        let mut values = Vec::new();
        for file in self.files {
            let named = std::iter::once(&name).chain(lookup.spec.former_names);
            for entry in named.flat_map(|(section, name)| file.entries(section, name)) {
                let place = Place::File(&file.path, entry.line);
                let found = Found {
                    raw: Cow::Borrowed(&entry.value),
                    place,
                };
                values.push(self.located(lookup, found)?);
            }
        }
        Ok(values)
    }

    /// Returns whether a file or the environment sets the option.
    pub(in crate::config) fn is_set<'s>(&'a self, lookup: impl Into<Lookup<'s>>) -> bool {
        let lookup = lookup.into();
        self.find(lookup)
            .is_some_and(|found| !matches!(found.place, Place::Default))
    }

    /// Returns the names of the sections of the files that begin with a prefix, in lower case, each once.
    pub(in crate::config) fn sections(&self, prefix: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        for (section, _) in self.files.iter().flat_map(Ini::all) {
            if section.starts_with(prefix) && !found.contains(&section) {
                found.push(section);
            }
        }
        found
    }

    fn located(&'a self, lookup: Lookup<'_>, found: Found<'a>) -> Result<Located<'a, String>> {
        let name = name_of(lookup);
        match self.expand(&found.raw, lookup.section, 0) {
            Ok(value) => Ok(Located {
                value,
                place: found.place,
                name,
            }),
            Err(_) if lookup.spec.kind == Kind::Secret => {
                let why =
                    "'$' starts a reference to an unknown option; write '$$' for a dollar sign";
                Err(refuse(&found.place, &name, why))
            }
            Err(why) => Err(refuse(&found.place, &name, why)),
        }
    }

    /// Finds the value in the environment, then in the last file that has it under any of its names, then
    /// the default.
    fn find(&'a self, lookup: Lookup<'_>) -> Option<Found<'a>> {
        let section = normalize_section(lookup.section);
        let default = || {
            let own = self
                .defaults
                .iter()
                .find(|(spec, _)| std::ptr::eq(*spec, lookup.spec));
            let raw = own.map(|(_, text)| text.as_str()).or(lookup.spec.default)?;
            Some(Found {
                raw: Cow::Borrowed(raw),
                place: Place::Default,
            })
        };
        self.find_written(&section, lookup.spec.name, lookup.spec.former_names)
            .or_else(default)
    }

    fn find_written(
        &'a self,
        section: &str,
        name: &str,
        former_names: &[(&str, &str)],
    ) -> Option<Found<'a>> {
        if let Some(found) = self.find_variable(section, name) {
            return Some(found);
        }
        for file in self.files.iter().rev() {
            for (section, name) in std::iter::once(&(section, name)).chain(former_names) {
                if let Some(entry) = file.entries(section, name).next_back() {
                    let place = Place::File(&file.path, entry.line);
                    return Some(Found {
                        raw: Cow::Borrowed(&entry.value),
                        place,
                    });
                }
            }
        }
        None
    }

    fn find_variable(&self, section: &str, name: &str) -> Option<Found<'a>> {
        let environment = self.environment?;
        let variable = format!("OS_{}__{}", section.to_uppercase(), name.to_uppercase());
        let raw = environment
            .get_even_empty(&variable)?
            .to_string_lossy()
            .into_owned();
        Some(Found {
            raw: Cow::Owned(raw),
            place: Place::Variable(variable),
        })
    }

    /// Expands `$option`, `${option}` and `${section.option}`. `$$` and `\$` are a dollar sign; a `$`
    /// before anything else is kept.
    fn expand(&self, raw: &str, section: &str, depth: usize) -> Result<String, String> {
        if !raw.contains('$') {
            return Ok(raw.to_owned());
        }
        if depth >= MAX_REFERENCE_DEPTH {
            return Err("the value refers to itself".to_owned());
        }
        let raw = raw.replace("\\$", "$$");
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                text.push('$');
                rest = after;
            } else if let Some((name, after)) = split_reference(after) {
                text.push_str(&self.resolve(name, section, depth + 1)?);
                rest = after;
            } else {
                text.push('$');
                rest = after;
            }
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Returns the value of the option that a reference in `section` names.
    fn resolve(&self, reference: &str, section: &str, depth: usize) -> Result<String, String> {
        let (own_section, name) = reference.split_once('.').unwrap_or((section, reference));
        if let Some(value) = self.referenced(own_section, name, depth)? {
            return Ok(value);
        }
        self.referenced("DEFAULT", reference, depth)?
            .ok_or_else(|| {
                format!(
                    "{} refers to an unknown option",
                    quoted(&format!("${reference}"))
                )
            })
    }

    /// Returns whether `section` (normalized) contains the options of a store.
    fn is_store(&self, section: &str) -> bool {
        let backends = self.find((&ENABLED_BACKENDS).into());
        section == "glance_store"
            || backends
                .and_then(|found| parse_pairs(&found.raw).ok())
                .is_some_and(|pairs| pairs.iter().any(|(id, _)| normalize_section(id) == section))
    }

    /// Returns the value of an option for use in another one; None if there is no such option.
    fn referenced(
        &self,
        section: &str,
        name: &str,
        depth: usize,
    ) -> Result<Option<String>, String> {
        let section = normalize_section(section);
        let spec = find_option(&section, name)
            .filter(|spec| spec.section != EACH_STORE || self.is_store(&section));
        let found = match spec {
            Some(spec) => self.find(Lookup {
                spec,
                section: &section,
            }),
            None => self.find_written(&section, name, &[]),
        };
        let Some(found) = found else {
            return Ok(spec.map(|_| String::new()));
        };
        let text = self.expand(&found.raw, &section, depth)?;
        Ok(Some(match spec.map(|spec| spec.kind) {
            Some(Kind::Boolean) => match parse_boolean(&text) {
                Some(true) => "True".to_owned(),
                Some(false) => "False".to_owned(),
                None => text,
            },
            Some(Kind::Integer { .. }) => {
                parse_integer(&text).map_or(text, |value| value.to_string())
            }
            Some(Kind::List | Kind::BracketedList(_) | Kind::Pairs | Kind::Repeated) => {
                return Err(format!(
                    "${name} is a list and cannot be part of another value"
                ));
            }
            _ => text,
        }))
    }
}

/// Returns the name for messages: `[section] option`.
fn name_of(lookup: Lookup<'_>) -> String {
    let section = if lookup.section == EACH_STORE {
        "glance_store"
    } else {
        lookup.section
    };
    format!("[{section}] {}", lookup.spec.name)
}

/// Returns the name and the rest if `text`, which follows a `$`, starts with `name` or `{name}`.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let length = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    if braced {
        rest.strip_prefix('}').map(|rest| (name, rest))
    } else {
        Some((name, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::oslo::options::{
        DEFAULT_BACKEND, DELAYED_DELETE, DISK_FORMATS, IMAGE_SIZE_CAP, NODE_STAGING_URI, WEIGHT,
    };

    fn files(texts: &[&str]) -> Vec<Ini> {
        let parse = |(index, text): (usize, &&str)| {
            Ini::parse(Path::new(&format!("{index}.conf")), text).unwrap()
        };
        texts.iter().enumerate().map(parse).collect()
    }

    fn reader(files: &[Ini]) -> Reader<'_> {
        Reader {
            files,
            environment: None,
            defaults: Vec::new(),
        }
    }

    /// Returns the value of `[DEFAULT] node_staging_uri = VALUE` in a file with a few other options.
    fn expanded(value: &str) -> Result<String> {
        let text = format!(
            "[DEFAULT]\nnode_staging_uri = {value}\nplace = /srv\nenabled_backends = T:file\ndelayed_delete = yes\n\
             image_tag_quota = 010\n[g]\nplace = /opt\nnested = $place-${{DEFAULT.place}}\n"
        );
        let files = files(&[&text]);
        let reader = reader(&files);
        Ok(reader.text_or_default(&NODE_STAGING_URI)?.value)
    }

    #[test]
    fn references_are_filled_in() {
        for (value, expected) in [
            ("$place/x", "/srv/x"),
            ("${place}x", "/srvx"),
            ("${g.place}/x", "/opt/x"),
            ("${g.nested}", "/opt-/srv"),
            (
                "$delayed_delete,$image_tag_quota,$image_size_cap",
                "True,10,1099511627776",
            ),
            ("a$image_cache_dir.", "refused"),
            ("$image_cache_dir/b", "/b"),
            ("$$place \\$place", "$place $place"),
            ("100% $ $9 ${ ${place", "100% $ $9 ${ ${place"),
            ("$nowhere", "refused"),
            ("${g.nowhere}", "refused"),
            ("${t.weight}${T.weight}", "00"),
            ("${nowhere.weight}", "refused"),
            ("$node_staging_uri", "refused"),
            ("${image_format.disk_formats}", "refused"),
        ] {
            match expanded(value) {
                Ok(text) => assert_eq!(text, expected, "{value}"),
                Err(error) => {
                    assert_eq!(expected, "refused", "{value}: {error}");
                    assert!(
                        error
                            .message()
                            .starts_with("0.conf:2: [DEFAULT] node_staging_uri: ")
                    );
                }
            }
        }
    }

    #[test]
    fn a_reference_looks_in_its_own_section_first() {
        let files = files(&["[DEFAULT]\na = 1\n[glance_store]\ndefault_backend = $a$b\nb = 2\n"]);
        let value = reader(&files)
            .text_or_default(&DEFAULT_BACKEND)
            .unwrap()
            .value;
        assert_eq!(value, "12");
    }

    #[test]
    fn the_last_file_and_the_last_line_win_and_a_new_name_beats_a_former_one() {
        let texts = [
            "[image_format]\ndisk_formats = a\n",
            "[DEFAULT]\ndisk_formats = b\n",
            "[DEFAULT]\ndelayed_delete = on\ndelayed_delete = off\n",
        ];
        let first = files(&texts);
        assert_eq!(reader(&first).list(&DISK_FORMATS).unwrap().value, ["b"]);
        assert!(!reader(&first).boolean(&DELAYED_DELETE).unwrap());
        let both = files(&["[DEFAULT]\ndisk_formats = b\n[image_format]\ndisk_formats = a, c,\n"]);
        assert_eq!(reader(&both).list(&DISK_FORMATS).unwrap().value, ["a", "c"]);
    }

    #[test]
    fn the_environment_beats_the_files() {
        let files = files(&["[fast]\nweight = 1\n"]);
        let environment: Environment = [
            ("OS_FAST__WEIGHT", "3"),
            ("OS_DEFAULT__DELAYED_DELETE", "x"),
        ]
        .into_iter()
        .collect();
        let reader = Reader {
            files: &files,
            environment: Some(&environment),
            defaults: Vec::new(),
        };
        assert_eq!(reader.integer(WEIGHT.of("Fast")).unwrap().value, 3);
        assert_eq!(
            reader.boolean(&DELAYED_DELETE).unwrap_err().message(),
            "environment variable OS_DEFAULT__DELAYED_DELETE: [DEFAULT] delayed_delete: \
             'x' is neither true nor false"
        );
    }

    #[test]
    fn an_integer_out_of_its_limits_is_refused_with_its_place() {
        for (value, why) in [
            ("0", "0 is less than 1"),
            (
                "9223372036854775809",
                "9223372036854775809 is more than 9223372036854775808",
            ),
            ("1 GiB", "'1 GiB' is not a whole number"),
        ] {
            let files = files(&["", &format!("[DEFAULT]\n\nimage_size_cap = {value}\n")]);
            let error = reader(&files).integer(&IMAGE_SIZE_CAP).unwrap_err();
            assert_eq!(
                error.message(),
                format!("1.conf:3: [DEFAULT] image_size_cap: {why}")
            );
        }
    }
}
