//! The policy files, and the protections of properties.
//!
//! *Source:* `oslo_policy/opts.py`; `glance/common/property_utils.py` of the reference implementation.

use std::path::PathBuf;

use crate::Result;
use crate::config::oslo::options::{
    ENFORCE_NEW_DEFAULTS, ENFORCE_SCOPE, POLICY_DEFAULT_RULE, POLICY_DIRS, POLICY_FILE,
    PROPERTY_PROTECTION_FILE, PROPERTY_PROTECTION_RULE_FORMAT,
};
use crate::config::oslo::reader::Reader;

/// The policy files and the property protections of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// The places of the policy file; the first one that exists counts.
    pub files: Vec<PathBuf>,
    /// The places of each directory of policy files; the first one of each that exists counts.
    pub directories: Vec<Vec<PathBuf>>,
    /// The name of the rule that counts in place of an unknown one; empty: an unknown rule is false.
    pub default_rule: String,
    /// Whether the rules of earlier releases are not sufficient any more.
    pub enforce_new_defaults: bool,
    /// Whether rules for projects are false for callers who act on the system.
    pub enforce_scope: bool,
    /// The property protections; None without them.
    pub protections: Option<ProtectionSettings>,
}

/// The protections of properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectionSettings {
    /// The file as it is named.
    pub name: String,
    /// The places of the file; the first one that exists counts.
    pub files: Vec<PathBuf>,
    /// The meaning of the values in the file.
    pub format: ProtectionFormat,
}

/// The meaning of the values in a file of property protections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionFormat {
    /// Names of roles.
    Roles,
    /// The name of a rule of the policy.
    Policies,
}

/// Reads the settings. Relative paths are searched in `directories`.
pub(super) fn read_policy(reader: &Reader<'_>, directories: &[PathBuf]) -> Result<PolicySettings> {
    let places = |name: &str| -> Vec<PathBuf> {
        let mut places: Vec<PathBuf> = directories.iter().map(|at| at.join(name)).collect();
        // All are the same if the path is absolute.
        places.dedup();
        places
    };
    let named = reader.repeated(&POLICY_DIRS)?;
    let mut directory_names: Vec<String> = named.into_iter().map(|name| name.value).collect();
    if directory_names.is_empty() {
        directory_names.extend(POLICY_DIRS.default.map(str::to_string));
    }
    let protection_file = reader.text_if_any(&PROPERTY_PROTECTION_FILE)?;
    let format = reader.text_or_default(&PROPERTY_PROTECTION_RULE_FORMAT)?;
    let format = match format.value.as_str() {
        "policies" => ProtectionFormat::Policies,
        _ => ProtectionFormat::Roles,
    };
    let file = reader.text_or_default(&POLICY_FILE)?.value;
    Ok(PolicySettings {
        files: places(&file),
        directories: directory_names.iter().map(|name| places(name)).collect(),
        default_rule: reader.text_or_default(&POLICY_DEFAULT_RULE)?.value,
        enforce_new_defaults: reader.boolean(&ENFORCE_NEW_DEFAULTS)?,
        enforce_scope: reader.boolean(&ENFORCE_SCOPE)?,
        protections: protection_file.map(|name| ProtectionSettings {
            files: places(&name.value),
            name: name.value,
            format,
        }),
    })
}
