//! Files of metadata definitions: one namespace with its contents each, in JSON.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{MAX_LENGTH, check_name};
use crate::data::replacement::Replacement;
use crate::model::metadef::{Namespace, Properties, written};
use crate::{Error, Result};

/// The maximum size of a file, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The maximum length of a file name without its extension, in bytes.
const MAX_FILE_NAME: usize = 200;

/// The permission bits of a written file.
const MODE: u32 = 0o644;

/// A namespace in a file. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
pub(in crate::local) struct Document {
    pub namespace: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<String>,
    pub protected: Option<bool>,
    pub owner: Option<String>,
    #[serde(default, deserialize_with = "some")]
    pub resource_type_associations: Vec<WrittenAssociation>,
    #[serde(default, deserialize_with = "some")]
    pub properties: Properties,
    #[serde(default, deserialize_with = "some")]
    pub objects: Vec<WrittenObject>,
    #[serde(default, deserialize_with = "some")]
    pub tags: Vec<WrittenTag>,
}

#[derive(Debug, Deserialize)]
pub(in crate::local) struct WrittenAssociation {
    pub name: String,
    pub prefix: Option<String>,
    pub properties_target: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::local) struct WrittenObject {
    pub name: String,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "some")]
    pub required: Vec<String>,
    #[serde(default, deserialize_with = "some")]
    pub properties: Properties,
}

#[derive(Debug, Deserialize)]
pub(in crate::local) struct WrittenTag {
    pub name: String,
}

/// Deserializes a value; null is the default value.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Document {
    /// Checks the lengths of names against the columns of the catalogue.
    fn check(&self) -> Result<()> {
        check_name("namespace", &self.namespace)?;
        let named = [("display_name", &self.display_name)].into_iter();
        let of_types = self.resource_type_associations.iter().flat_map(|held| {
            [
                ("prefix", &held.prefix),
                ("properties_target", &held.properties_target),
            ]
        });
        for (what, text) in named.chain(of_types) {
            if text
                .as_ref()
                .is_some_and(|text| text.chars().count() > MAX_LENGTH)
            {
                return Err(Error::failed(format!(
                    "a {what} must not exceed {MAX_LENGTH} characters"
                )));
            }
        }
        for held in &self.resource_type_associations {
            check_name("resource type", &held.name)?;
        }
        for name in self.properties.keys() {
            check_name("property", name)?;
        }
        for held in &self.objects {
            check_name("object", &held.name)?;
        }
        for held in &self.tags {
            check_name("tag", &held.name)?;
        }
        Ok(())
    }
}

/// Returns the files that `path` names: the file itself, or the `.json` files in the directory, sorted by name.
///
/// # Errors
/// `Failed` for a directory without such files; `Io` for a missing path.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|ending| ending == "json") && file.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::failed(format!(
            "Json schema files not found in {}. Aborting.",
            path.display()
        )));
    }
    Ok(files)
}

/// Reads the namespace in a file.
///
/// # Errors
/// The reason why the file cannot be loaded.
pub(super) fn read(path: &Path) -> Result<Document> {
    let of_file = |why: &dyn std::fmt::Display| {
        Error::failed(format!("{} is skipped: {why}", path.display()))
    };
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut text = Vec::new();
    let read = file.take(MAX_SIZE + 1).read_to_end(&mut text);
    read.map_err(|e| Error::io("read", path, e))?;
    if text.len() as u64 > MAX_SIZE {
        return Err(of_file(&format!(
            "it is larger than {} MiB",
            MAX_SIZE >> 20
        )));
    }
    let document: Document = serde_json::from_slice(&text).map_err(|e| of_file(&e))?;
    document.check().map_err(|e| of_file(&e.message()))?;
    Ok(document)
}

/// Returns the content of a namespace's file.
pub(super) fn document(namespace: &Namespace) -> Value {
    let mut fields = Map::new();
    let own = written(namespace);
    for name in [
        "namespace",
        "display_name",
        "description",
        "visibility",
        "protected",
        "owner",
    ] {
        if let Some(value) = own.get(name) {
            fields.insert(name.to_string(), value.clone());
        }
    }
    let without_times = |mut fields: Map<String, Value>| {
        fields.retain(|name, _| !["created_at", "updated_at"].contains(&name.as_str()));
        Value::Object(fields)
    };
    let types = namespace.resource_type_associations.iter();
    let types: Vec<Value> = types.map(|held| without_times(written(held))).collect();
    let objects = namespace.objects.iter().map(|held| {
        let mut fields = written(held);
        if held.required.as_ref().is_some_and(Vec::is_empty) {
            fields.shift_remove("required");
        }
        without_times(fields)
    });
    let tags = namespace.tags.iter().map(|held| json!({"name": held.name}));
    for (name, value) in [
        ("resource_type_associations", json!(types)),
        ("properties", json!(namespace.properties)),
        ("objects", objects.collect()),
        ("tags", tags.collect()),
    ] {
        fields.insert(name.to_string(), value);
    }
    Value::Object(fields)
}

/// The file names of several namespaces, all different: the letters and digits of the display names, as the
/// reference implementation intends, or of the names if two would be the same.
#[derive(Default)]
pub(super) struct FileNames(HashSet<String>);

impl FileNames {
    /// Returns the file name of the next namespace.
    pub(super) fn next(&mut self, namespace: &Namespace) -> String {
        let plain = |text: &str| {
            let mut plain = String::new();
            for letter in text.chars().filter(|letter| letter.is_alphanumeric()) {
                if plain.len() + letter.len_utf8() > MAX_FILE_NAME {
                    break;
                }
                plain.push(letter);
            }
            plain
        };
        let for_people = namespace.display_name.as_deref().map(plain);
        let names = for_people.into_iter().chain([plain(&namespace.name)]);
        let numbered = (1_u64..).map(|number| format!("namespace{number}"));
        let mut free = names
            .chain(numbered)
            .filter(|name| !name.is_empty() && !self.0.contains(name));
        let name = free.next().unwrap_or_default();
        self.0.insert(name.clone());
        format!("{name}.json")
    }
}

/// Writes a file atomically if possible, else in place. Returns a warning in the latter case.
pub(super) fn write(directory: &Path, name: &str, document: &Value) -> Result<Option<String>> {
    let path = directory.join(name);
    let failed = |e: std::io::Error| Error::io("write", &path, e);
    let text = serde_json::to_string_pretty(document)
        .map_err(|e| Error::internal("a namespace cannot be written as JSON").because(e))?;
    let new = Replacement::create_readable(&path, MODE)?;
    match writeln!(new.file(), "{text}") {
        Ok(()) => new.keep(),
        Err(e) => Err(new.give_up(failed(e))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_after_namespaces_and_never_alike() {
        let mut names = FileNames::default();
        let mut next = |name: &str, display_name: Option<&str>| {
            names.next(&Namespace {
                name: name.to_string(),
                display_name: display_name.map(str::to_string),
                ..Namespace::default()
            })
        };
        assert_eq!(next("OS::A_b", Some("The A/é-b")), "TheAéb.json");
        assert_eq!(next("OS::C", Some("The A é b")), "OSC.json");
        assert_eq!(next("OS::D", None), "OSD.json");
        assert_eq!(next("../..", Some("::")), "namespace1.json");
        assert_eq!(next("..", None), "namespace2.json");
        let long = next("x", Some(&"é".repeat(300)));
        assert_eq!(long.len(), MAX_FILE_NAME + ".json".len());
    }

    #[test]
    fn files_that_are_no_namespaces_are_refused_in_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let long = "x".repeat(81);
        let nested = format!("{{\"namespace\":{}", "[".repeat(1 << 20));
        for text in [
            "",
            "[]",
            "{oops",
            "{}",
            r#"{"namespace": null}"#,
            r#"{"namespace": ""}"#,
            r#"{"namespace": "n", "protected": "yes"}"#,
            r#"{"namespace": "n", "properties": []}"#,
            r#"{"namespace": "n", "objects": [{}]}"#,
            r#"{"namespace": "n", "tags": ["t"]}"#,
            &format!(r#"{{"namespace": "{long}"}}"#),
            &format!(r#"{{"namespace": "n", "properties": {{"{long}": {{}}}}}}"#),
            &nested,
        ] {
            let path = directory.path().join("n.json");
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            let message = error.message();
            assert!(message.contains("n.json"), "{message}");
            assert!(!message.contains('\n') && message.len() < 300, "{message}");
        }
        let nulls = r#"{"namespace": "n", "owner": null, "tags": null, "objects": [{"name": "o", "properties": null}]}"#;
        let path = directory.path().join("n.json");
        std::fs::write(&path, nulls).unwrap();
        assert!(read(&path).is_ok());
    }
}
