//! Options of the removed Images API v1, with their replacements.

use crate::cli::command::grammar::Grammar;

/// An option of the clients for the removed Images API v1.
struct Former {
    /// The name without dashes.
    long: &'static str,
    /// The commands that had the option, in both grammars.
    commands: &'static [&'static str],
    /// The replacement in the first and in the second grammar.
    instead: [&'static str; 2],
}

/// Commands that create or update an image.
const WRITERS: &[&str] = &["image-create", "image-update", "image create", "image set"];

/// Commands that list images.
const LISTERS: &[&str] = &["image-list", "image list"];

/// Options of the clients for the Images API v1 that scripts may still pass.
///
/// *Source:* `glanceclient/v1/shell.py` of python-glanceclient 2, `openstackclient/image/v1/image.py`.
const FORMER: &[Former] = &[
    Former {
        long: "is-public",
        commands: WRITERS,
        instead: [
            "--visibility public, or --visibility private",
            "--public, or --private",
        ],
    },
    Former {
        long: "is-public",
        commands: LISTERS,
        instead: [
            "--visibility public, or --visibility private",
            "--public, or --private",
        ],
    },
    Former {
        long: "is-protected",
        commands: WRITERS,
        instead: [
            "--protected True, or --protected False",
            "--protected, or --unprotected",
        ],
    },
    Former {
        long: "location",
        commands: WRITERS,
        instead: [
            "\"location-add --url URL IMAGE_ID\" once the image exists, or image-create-via-import with \
             --import-method web-download and --uri URL, which copies the data",
            "\"glance location-add --url URL IMAGE_ID\" once the image exists, or \"image import --method \
             web-download --uri URL\", which copies the data",
        ],
    },
    Former {
        long: "copy-from",
        commands: WRITERS,
        instead: [
            "image-create-via-import with --import-method web-download and --uri URL",
            "\"image import --method web-download --uri URL\" once the image exists",
        ],
    },
    Former {
        long: "checksum",
        commands: WRITERS,
        instead: [
            "none: the service computes the checksum, and image-show prints it",
            "none: the service computes the checksum, and \"image show\" prints it",
        ],
    },
    Former {
        long: "store",
        commands: &["image create", "image set"],
        instead: [
            "--store of image-upload",
            "--store of \"glance image-upload\", or --store of \"image import\"",
        ],
    },
    Former {
        long: "purge-props",
        commands: WRITERS,
        instead: [
            "--remove-property KEY for each property",
            "\"image unset --property KEY\" for each property",
        ],
    },
    Former {
        long: "owner",
        commands: &["image create", "image set", "image list"],
        instead: ["--owner", "--project"],
    },
    Former {
        long: "visibility",
        commands: &["image set"],
        instead: [
            "--visibility",
            "--public, --private, --community or --shared",
        ],
    },
    Former {
        long: "name",
        commands: &["image-list"],
        instead: ["--property-filter name=NAME", "--name"],
    },
    Former {
        long: "status",
        commands: &["image-list"],
        instead: ["--property-filter status=STATUS", "--status"],
    },
    Former {
        long: "disk-format",
        commands: LISTERS,
        instead: [
            "--property-filter disk_format=FORMAT",
            "--property disk_format=FORMAT",
        ],
    },
    Former {
        long: "container-format",
        commands: LISTERS,
        instead: [
            "--property-filter container_format=FORMAT",
            "--property container_format=FORMAT",
        ],
    },
    Former {
        long: "all-tenants",
        commands: LISTERS,
        instead: ["--visibility all", "--all"],
    },
    Former {
        long: "can-share",
        commands: &["member-create", "member-update", "image add project"],
        instead: [
            "none: a member cannot share an image further",
            "none: a member cannot share an image further",
        ],
    },
];

/// Returns a hint on the replacement of an option that `command` had in the Images API v1; `None` for any other
/// word.
pub fn successor(grammar: Grammar, command: &str, word: &str) -> Option<String> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let name = name.strip_prefix("--")?.replace('_', "-");
    let former = FORMER
        .iter()
        .find(|former| former.long == name && former.commands.contains(&command))?;
    let [first, second] = former.instead;
    let instead = match grammar {
        Grammar::Glance => first,
        Grammar::Openstack => second,
    };
    Some(format!(
        "--{name} was an option of the Images API v1. Replacement: {instead}."
    ))
}
