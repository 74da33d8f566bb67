//! Hints in the words of the programs, and hints that depend on the command.

use std::sync::OnceLock;

use clap::ArgMatches;

use crate::cli::command::grammar::{Grammar, Row};
use crate::cli::command::parser::own;
use crate::data::format::Format;
use crate::model::schema::is_uuid;
use crate::{Error, ErrorKind, Hint, Operation, Parameter};

/// The program that was called; process-wide.
static CALLED: OnceLock<Grammar> = OnceLock::new();

/// Notes the program that was called: `glance` has the commands of `openstack`, too.
pub fn note_called(program: Grammar) {
    // A process is called once.
    let _ = CALLED.set(program);
}

/// Returns the name by which commands of the second grammar are called here.
pub fn second_program() -> &'static str {
    CALLED.get().map_or("openstack", |called| called.program())
}

/// Returns the line that shows hints; None without hints.
pub fn line(grammar: Grammar, hints: &[Hint]) -> Option<String> {
    sentences(grammar, hints).map(|sentences| format!("Hint: {sentences}"))
}

/// Words hints for users of a grammar, on one line; None without hints.
pub fn sentences(grammar: Grammar, hints: &[Hint]) -> Option<String> {
    let sentences = hints.iter().map(|hint| match hint {
        Hint::Text(text) => text.clone(),
        Hint::Give(parameter) => give(grammar, parameter),
        Hint::Use(operation) => use_operation(grammar, operation),
    });
    let sentences: Vec<String> = sentences.collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Returns the advice to give a parameter.
fn give(grammar: Grammar, parameter: &Parameter) -> String {
    let glance = grammar == Grammar::Glance;
    let sentence = match parameter {
        Parameter::CaCertificates => {
            "Select the certificates to trust with --os-cacert FILE, OS_CACERT or cacert in clouds.yaml."
        }
        Parameter::ClientCertificate => {
            "Select the client certificate with --os-cert FILE and its key with --os-key FILE, both in PEM."
        }
        Parameter::OlderTls => "Allow an older version with --tls-min-version 1.2.",
        Parameter::Timeout => "Allow more time with --timeout SECONDS.",
        Parameter::Cloud => {
            "Select a cloud of clouds.yaml with --os-cloud or OS_CLOUD, or load a file of OS_* variables."
        }
        Parameter::LocalDeployment => "Use --local for the images of this machine.",
        Parameter::Service => {
            "Use the service of this deployment instead, with --os-cloud or the options of a login."
        }
        Parameter::DataDirectory => "Select a directory with --data-dir or GLANCE_DATA_DIR.",
        Parameter::ImageServiceAddress if glance => {
            "Set the address of the image service with --os-image-url."
        }
        Parameter::ImageServiceAddress => {
            "Set the address of the image service with --os-endpoint-override."
        }
        Parameter::KeystoneAddress => {
            "Set the address of Keystone with --os-auth-url or OS_AUTH_URL."
        }
        Parameter::Interface => "Select an interface with --os-interface.",
        Parameter::Region => "Select a region with --os-region-name.",
        Parameter::LoginProject => "Select a project with --os-project-name or OS_PROJECT_NAME.",
        Parameter::LoginMethods(methods) => return log_in_by(methods),
        Parameter::DiscoveryEndpoint => {
            "Set the address of the discovery document with --os-discovery-endpoint."
        }
        Parameter::TokenEndpoint => {
            "Set it with --os-access-token-endpoint, or the discovery document with --os-discovery-endpoint."
        }
        Parameter::DeviceEndpoint => {
            "Set it with --os-device-authorization-endpoint, or the discovery document with \
             --os-discovery-endpoint."
        }
        Parameter::Project => "Select the project with --project ID.",
        Parameter::Store => "Select another store with --store.",
        Parameter::SourceStore if glance => "Try another store with --prefer.",
        Parameter::SourceStore => "Try another store with --store-preference.",
        Parameter::Md5 => "Use --allow-md5-fallback to verify by MD5.",
        Parameter::NoWait => "Omit --wait.",
        Parameter::NoBackup => "Use --no-backup to continue without a backup.",
    };
    sentence.to_string()
}

/// Returns the advice to log in by several methods.
fn log_in_by(methods: &[String]) -> String {
    let list = methods.join(",");
    let passcode = if methods.iter().any(|method| method == "v3totp") {
        " --os-passcode CODE"
    } else {
        ""
    };
    format!("Log in with --os-auth-type v3multifactor --os-auth-methods {list}{passcode}.")
}

/// Returns the advice to use an operation.
pub(in crate::cli) fn use_operation(grammar: Grammar, operation: &Operation) -> String {
    let either = |glance: &str, openstack: &str| match grammar {
        Grammar::Glance => format!("glance {glance}"),
        Grammar::Openstack => format!("{} image {openstack}", second_program()),
    };
    let glance = |command: &str| format!("glance {command}");
    let (command, purpose) = match operation {
        Operation::ShowImage(id) => (
            either(&format!("image-show {id}"), &format!("show {id}")),
            "to show the image",
        ),
        Operation::UnprotectImage(id) => (
            either(
                &format!("image-update --protected False {id}"),
                &format!("set --unprotected {id}"),
            ),
            "first",
        ),
        Operation::UnprotectNamespace(name) => (
            either(
                &format!("md-namespace-update --protected False {name}"),
                &format!("metadef namespace set --unprotected {name}"),
            ),
            "first",
        ),
        Operation::ShareImage(id) => (
            either(
                &format!("image-update --visibility shared {id}"),
                &format!("set --shared {id}"),
            ),
            "as its owner to change that",
        ),
        Operation::CopyImage(id) => (
            either(
                &format!("image-import --import-method copy-image --stores STORES {id}"),
                &format!("import --method copy-image {id} --store STORE"),
            ),
            "to copy it",
        ),
        Operation::RestoreImage(id) => (
            format!("glance-scrubber --restore {id}"),
            "to restore the image",
        ),
        Operation::ImportImage => (
            either("image-import", "import"),
            "to import data into an image",
        ),
        // Only the first grammar has these.
        Operation::ListTasks(id) => (
            glance(&format!("image-tasks {id}")),
            "for the status of the import",
        ),
        Operation::AddLocation => (glance("help location-add"), "for how to add one"),
        Operation::ShowUsage => (glance("usage"), "to show quotas and their usage"),
        Operation::ListStores => (either("stores-info", "stores list"), "to list the stores"),
        Operation::SyncDatabase => (
            "glance-manage db sync".to_string(),
            "to create or upgrade the tables, with the same --data-dir or --config-file if one was given",
        ),
        Operation::MigrateRows => ("glance-manage db migrate".to_string(), "first"),
        Operation::RecordRevision => (
            "glance-manage db version_control REVISION".to_string(),
            "to record their revision",
        ),
        Operation::PreviewPrune => (
            "glance-cache-manage --config-file FILE --dry-run prune".to_string(),
            "on the host of the cache",
        ),
        Operation::Prefetch => ("glance-cache-manage prefetch".to_string(), "to try again"),
    };
    format!("Run \"{command}\" {purpose}.")
}

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
        return error.hint(format!("The data is {name}. Pass --disk-format {name}."));
    }
    if grammar == Grammar::Glance
        && error.kind() == ErrorKind::NotFound
        && let Some(word) = not_an_id(row, matches)
        && error.message().contains(&word)
    {
        return error.hint(takes_an_id(row.name, &word));
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
    use crate::cli::command::argparse::{Request, read_words};

    #[test]
    fn hints_are_one_line_of_sentences_in_the_words_of_the_grammar() {
        let hints = [
            Hint::from("The download was discarded."),
            Parameter::SourceStore.into(),
            Operation::ListStores.into(),
        ];
        assert_eq!(
            line(Grammar::Glance, &hints).unwrap(),
            "Hint: The download was discarded. Try another store with --prefer. Run \"glance stores-info\" to list \
             the stores."
        );
        assert_eq!(
            line(Grammar::Openstack, &hints).unwrap(),
            "Hint: The download was discarded. Try another store with --store-preference. Run \"openstack image \
             stores list\" to list the stores."
        );
        assert_eq!(line(Grammar::Glance, &[]), None);
        for methods in [&["v3password", "v3totp"][..], &["v3password"]] {
            let methods: Vec<String> = methods.iter().map(ToString::to_string).collect();
            let sentence = give(Grammar::Glance, &Parameter::LoginMethods(methods.clone()));
            assert!(sentence.contains(&methods.join(",")), "{sentence}");
            assert_eq!(sentence.contains("--os-passcode"), methods.len() > 1);
        }
    }

    fn advised(line: &str, error: Error) -> Option<String> {
        let words = line.split(' ').map(str::to_string).collect();
        let Ok(Request::Leaf(parsed)) = read_words(Grammar::Glance, words) else {
            panic!("{line}");
        };
        let error = advise(error, parsed.grammar, parsed.row, &parsed.matches);
        sentences(parsed.grammar, error.hints())
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
        for what in ["gpt", "qed", "unknown", ""] {
            assert_eq!(advised("image create x", refused(what)), None, "{what}");
        }
    }
}
