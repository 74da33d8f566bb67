//! Hints that depend on the failed command.

use clap::ArgMatches;

use super::argparse::own;
use super::registry::{Grammar, Row};
use crate::data::format::Format;
use crate::model::schema::is_uuid;
use crate::{Error, ErrorKind};

/// The value name of arguments that take an image ID, in the first grammar.
const IMAGE_ID: &str = "IMAGE_ID";

/// The text before the name of the detected format in an error message.
///
/// *Source:* `set_data` in `glance/location.py`.
const MISMATCH: &str = "does not match stream data ";

/// Adds hints to an error, based on the command's arguments.
pub fn advise(error: Error, grammar: Grammar, row: &'static Row, matches: &ArgMatches) -> Error {
    if let Some(format) = detected(error.message()) {
        let name = format.name();
        return error.and_hint(format!("The data is {name}. Pass --disk-format {name}."));
    }
    if grammar == Grammar::Glance
        && error.kind() == ErrorKind::NotFound
        && let Some(word) = not_an_id(row, matches)
        && error.message().contains(&word)
    {
        return error.and_hint(takes_an_id(row.name, &word));
    }
    error
}

/// Returns a hint on how to find the ID of an image, for a command that was given a name.
pub fn takes_an_id(command: &str, word: &str) -> String {
    format!(
        "{command} expects an image ID. To find the ID of an image by name, run: glance image-list \
         --property-filter \"name={word}\""
    )
}

/// Returns the first argument that expects an image ID but does not have the form of one.
fn not_an_id(row: &'static Row, matches: &ArgMatches) -> Option<String> {
    let command = own(Grammar::Glance, Grammar::Glance, row);
    let takes_id = |arg: &&clap::Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().any(|name| name.as_str() == IMAGE_ID)
    };
    let ids: Vec<String> = command
        .get_arguments()
        .filter(takes_id)
        .map(|arg| arg.get_id().to_string())
        .collect();
    let mut values = ids
        .iter()
        .filter_map(|id| matches.try_get_many::<String>(id).ok().flatten())
        .flatten();
    values.find(|value| !is_uuid(value)).cloned()
}

/// Returns the detected format named in an error message, if it is a disk format.
fn detected(message: &str) -> Option<Format> {
    let (_, rest) = message.split_once(MISMATCH)?;
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
    let format = Format::from_name(&name)?;
    format.is_disk_format().then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::argparse::{Request, read_words};

    fn advised(line: &str, error: Error) -> Option<String> {
        let words = line.split(' ').map(str::to_string).collect();
        let Ok(Request::Leaf(parsed)) = read_words(Grammar::Glance, words) else {
            panic!("{line}");
        };
        let error = advise(error, parsed.grammar, parsed.row, &parsed.matches);
        error.hint_text().map(str::to_string)
    }

    #[test]
    fn a_name_in_the_place_of_an_id_is_explained() {
        let missing = |id: &str| Error::not_found(format!("No image found with ID {id}"));
        for (line, command) in [
            ("image-show debian", "image-show"),
            ("image-update --name x debian", "image-update"),
            ("image-download debian", "image-download"),
            ("member-list --image-id debian", "member-list"),
            ("image-tag-update debian tag", "image-tag-update"),
        ] {
            let hint = advised(line, missing("debian"));
            let hint = hint.unwrap_or_default();
            assert!(
                hint.starts_with(&format!("{command} expects an image ID")),
                "{line}: {hint}"
            );
            assert!(hint.contains("name=debian"), "{hint}");
        }
        let id = "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11";
        assert_eq!(advised(&format!("image-show {id}"), missing(id)), None);
        assert_eq!(advised("image show debian", missing("debian")), None);
    }

    #[test]
    fn a_mismatch_names_the_right_disk_format() {
        let refused = |what: &str| {
            Error::unsupported_media(format!(
                "Image disk_format vmdk does not match stream data {what}"
            ))
        };
        let hint = advised("image create x", refused("qcow2")).unwrap();
        assert!(hint.contains("--disk-format qcow2"), "{hint}");
        for what in ["gpt", "qed", "nonsense", ""] {
            assert_eq!(advised("image create x", refused(what)), None, "{what}");
        }
    }
}
