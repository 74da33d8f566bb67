//! Options shared by several image commands of the second grammar.

use serde_json::{Value, json};

use crate::cli::command::argparse::successor;
use crate::cli::command::grammar::Grammar;
use crate::cli::command::values::int;
use crate::{Error, Result};

/// Values of `--disk-format`: upstream's, and luks.
pub(super) const DISK_FORMATS: [&str; 12] = [
    "ami", "ari", "aki", "vhd", "vmdk", "raw", "qcow2", "vhdx", "vdi", "iso", "ploop", "luks",
];

/// Values of `--container-format`: upstream's, and compressed.
pub(super) const CONTAINER_FORMATS: [&str; 8] = [
    "ami",
    "ari",
    "aki",
    "bare",
    "docker",
    "ova",
    "ovf",
    "compressed",
];

/// Options that protect an image from deletion.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "protection", multiple = false)]
pub(super) struct Protection {
    /// Prevent the image from being deleted.
    #[arg(long, conflicts_with = "unprotected")]
    protected: bool,
    /// Allow the image to be deleted (default).
    #[arg(long)]
    unprotected: bool,
}

impl Protection {
    pub(super) fn wanted(&self) -> Option<bool> {
        either_flag(self.protected, self.unprotected)
    }
}

/// Returns the choice between two exclusive flags: true for the first, false for the second.
pub(super) fn either_flag(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Options that set the visibility of an image.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
#[group(id = "seen-by", multiple = false)]
pub(super) struct Visible {
    /// Make the image visible to every project.
    #[arg(long, conflicts_with_all = ["private", "community", "shared"])]
    public: bool,
    /// Make the image visible to its project only (default before --os-image-api-version 2.5).
    #[arg(long, conflicts_with_all = ["community", "shared"])]
    private: bool,
    /// Make the image usable by every project, but listed for its own only.
    #[arg(long, conflicts_with_all = ["shared"])]
    community: bool,
    /// Make the image visible to its project and its members.
    #[arg(long)]
    shared: bool,
}

impl Visible {
    pub(super) fn wanted(&self) -> Option<&'static str> {
        let words = [
            (self.public, "public"),
            (self.private, "private"),
            (self.community, "community"),
            (self.shared, "shared"),
        ];
        words
            .into_iter()
            .find(|(given, _)| *given)
            .map(|(_, word)| word)
    }
}

/// Rejects options that `command` had in the Images API v1.
///
/// # Errors
/// `Failed`, with a hint that names the replacement.
pub(super) fn refuse_former(command: &str, options: &[(&str, &Option<String>)]) -> Result<()> {
    let Some((name, _)) = options.iter().find(|(_, given)| given.is_some()) else {
        return Ok(());
    };
    let error = Error::failed(format!(
        "ERROR: --{name} was given, which is an Image v1 option that is no longer supported in Image v2"
    ));
    Err(
        match successor(Grammar::Openstack, command, &format!("--{name}")) {
            Some(hint) => error.hint(hint),
            None => error,
        },
    )
}

/// Converts the value of a property as openstacksdk does: some are numbers, the others strings.
pub(super) fn parse_property(name: &str, value: &str) -> Result<Value> {
    match name {
        "min_disk" | "min_ram" | "size" | "virtual_size" => int(value)
            .map(Value::from)
            .map_err(|why| Error::failed(format!("--property {name}={value}: {why}"))),
        _ => Ok(json!(value)),
    }
}
