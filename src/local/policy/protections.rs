//! Property protections: which callers may create, read, update and delete custom properties of images.
//!
//! *Source:* `glance/common/property_utils.py` and `glance/api/property_protections.py` of the reference
//! implementation.

use std::path::Path;

use regex_lite::Regex;

use crate::config::ProtectionFormat;
use crate::config::oslo::ini::{Ini, Section};
use crate::model::Caller;
use crate::{Error, Result};

/// The prefix of the properties that the service itself keeps.
const RESERVED: &str = "os_glance";

/// The use of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Setting a property that the image does not have yet.
    Create,
    /// Showing a property.
    Read,
    /// Setting a property that the image has already.
    Update,
    /// Removing a property.
    Delete,
}

impl Access {
    /// Every use, in the order of the file.
    const ALL: [Self; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    /// Returns the option of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// The callers that a use of a property is allowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Everyone,
    NoOne,
    /// Callers with one of these roles, in lower case.
    Roles(Vec<String>),
    /// Callers for whom this rule of the policy is true.
    Rule(String),
}

/// The protection of the properties whose names match.
#[derive(Clone, Debug)]
struct Protection {
    names: Regex,
    /// In the order of [`Access::ALL`].
    allowed: [Allowed; 4],
}

/// The protections of a deployment, in the order of the file; the first one that matches counts.
#[derive(Clone, Debug)]
pub(super) struct Protections(Vec<Protection>);

impl Protections {
    /// Reads a file. Returns the protections, and remarks on the file.
    ///
    /// # Errors
    /// `Io`; `Failed`, `FILE:LINE: why`, for a section that is not a regular expression, lacks an operation, or
    /// combines what excludes each other.
    pub(super) fn read(path: &Path, format: ProtectionFormat) -> Result<(Self, Vec<String>)> {
        let file = Ini::read(path)?;
        let mut protections = Vec::new();
        let mut remarks = Vec::new();
        let mut titles: Vec<&str> = Vec::new();
        for section in file.sections() {
            let refuse = |line: usize, why: String| {
                Error::failed(format!("{}:{line}: {why}", path.display()))
            };
            let title = section.title.as_str();
            if titles.contains(&title) {
                return Err(refuse(
                    section.line,
                    format!("section [{title}] is there twice"),
                ));
            }
            titles.push(title);
            if title.starts_with(RESERVED) || title == "DEFAULT" {
                continue;
            }
            let names = Regex::new(title).map_err(|error| {
                let why = format!("[{title}] is not a regular expression: {error}");
                refuse(section.line, why.replace('\n', " "))
            })?;
            let mut allowed = [const { Allowed::NoOne }; 4];
            for (access, allowed) in Access::ALL.into_iter().zip(&mut allowed) {
                let (line, value) = value_of(section, access).ok_or_else(|| {
                    let name = access.name();
                    refuse(section.line, format!("section [{title}] has no {name}"))
                })?;
                *allowed = parse(value, format)
                    .map_err(|why| refuse(line, format!("[{title}] {}: {why}", access.name())))?;
                if value.is_empty() {
                    let (at, name) = (path.display(), access.name());
                    remarks.push(format!(
                        "{at}:{line}: [{title}] {name}: is empty, so that no one may; write ! for that"
                    ));
                }
            }
            protections.push(Protection { names, allowed });
        }
        Ok((Self(protections), remarks))
    }

    /// Returns whether a caller may use a property; `rule` decides whether a rule of the policy is true. A property
    /// that no section matches is for no one.
    pub(super) fn allow(
        &self,
        caller: &Caller,
        access: Access,
        property: &str,
        rule: impl Fn(&str) -> bool,
    ) -> bool {
        if property.contains(RESERVED) {
            return true;
        }
        let found = self.0.iter().find(|one| one.names.is_match(property));
        let allowed = found.and_then(|one| {
            let place = Access::ALL.iter().position(|one| *one == access)?;
            one.allowed.get(place)
        });
        match allowed {
            Some(Allowed::Everyone) => true,
            Some(Allowed::Roles(roles)) => {
                let mut own = caller.roles.iter().chain(&caller.service_roles);
                own.any(|role| roles.contains(role))
            }
            Some(Allowed::Rule(name)) => rule(name),
            Some(Allowed::NoOne) | None => false,
        }
    }
}

/// Returns the line and the value of an operation in a section; the last one counts.
fn value_of(section: &Section, access: Access) -> Option<(usize, &str)> {
    let mut entries = section.entries.iter().rev();
    let entry = entries.find(|entry| entry.key.eq_ignore_ascii_case(access.name()))?;
    Some((entry.line, entry.value.as_str()))
}

/// Parses the callers of an operation.
///
/// # Errors
/// The reason why they are refused.
fn parse(value: &str, format: ProtectionFormat) -> Result<Allowed, String> {
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    match (format, &words[..]) {
        (_, ["" | "!"]) => Ok(Allowed::NoOne),
        (_, ["@"]) => Ok(Allowed::Everyone),
        (ProtectionFormat::Policies, [rule]) => Ok(Allowed::Rule((*rule).to_string())),
        (ProtectionFormat::Policies, _) => Err(format!(
            "'{value}' is more than one policy; combine them in the policy file"
        )),
        (ProtectionFormat::Roles, words) => match (words.contains(&"!"), words.contains(&"@")) {
            (true, true) => Err("@ and ! exclude each other".to_string()),
            (true, false) => Ok(Allowed::NoOne),
            (false, true) => Ok(Allowed::Everyone),
            (false, false) => {
                let roles = words.iter().map(|role| role.to_lowercase());
                Ok(Allowed::Roles(roles.collect()))
            }
        },
    }
}
