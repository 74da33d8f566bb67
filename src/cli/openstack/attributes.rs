//! Options that several image commands of the second grammar share.

use serde_json::{Value, json};

use crate::cli::argparse::successor;
use crate::cli::registry::Grammar;
use crate::cli::values::int;
use crate::{Error, Result};

/// What `--disk-format` takes: the real client's words, and luks.
pub(super) const DISK_FORMATS: [&str; 12] = [
    "ami", "ari", "aki", "vhd", "vmdk", "raw", "qcow2", "vhdx", "vdi", "iso", "ploop", "luks",
];

/// What `--container-format` takes: the real client's words, and compressed.
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

/// Whether an image may be deleted.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "protection", multiple = false)]
pub(super) struct Protection {
    /// Refuse to delete the image.
    #[arg(long, conflicts_with = "unprotected")]
    protected: bool,
    /// Allow to delete the image.
    #[arg(long)]
    unprotected: bool,
}

impl Protection {
    pub(super) fn wanted(&self) -> Option<bool> {
        chosen(self.protected, self.unprotected)
    }
}

/// Of two flags that exclude each other: true for the first, false for the second.
pub(super) fn chosen(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Who may see an image.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
#[group(id = "seen-by", multiple = false)]
pub(super) struct Visible {
    /// Everyone sees it.
    #[arg(long, conflicts_with_all = ["private", "community", "shared"])]
    public: bool,
    /// Its project sees it (--os-image-api-version 2.5 made shared the default).
    #[arg(long, conflicts_with_all = ["community", "shared"])]
    private: bool,
    /// Everyone who knows it sees it; it is listed for its project.
    #[arg(long, conflicts_with_all = ["shared"])]
    community: bool,
    /// Its project and its members see it.
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

/// Refuses options that `command` had for the Images API v1.
///
/// # Errors
/// `Failed`, with a hint that names what replaces the option.
pub(super) fn refuse_dead(command: &str, options: &[(&str, &Option<String>)]) -> Result<()> {
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

/// A property's value as openstacksdk sends it: a few are numbers, the rest text.
pub(super) fn typed(name: &str, value: &str) -> Result<Value> {
    match name {
        "min_disk" | "min_ram" | "size" | "virtual_size" => int(value)
            .map(Value::from)
            .map_err(|why| Error::failed(format!("--property {name}={value}: {why}"))),
        _ => Ok(json!(value)),
    }
}
