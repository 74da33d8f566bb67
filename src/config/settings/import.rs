//! Import settings: the methods, the plugins, and the sources that data may be fetched from.
//!
//! *Source:* `glance/common/config.py`, `glance/async_/flows/api_image_import.py`,
//! `glance/async_/flows/_internal_plugins/__init__.py`, `glance/async_/flows/plugins/*.py`.

use super::setting::Setting;
use crate::config::oslo::options::{
    ALLOWED_HOSTS, ALLOWED_PORTS, ALLOWED_SCHEMES, DISALLOWED_HOSTS, DISALLOWED_PORTS,
    DISALLOWED_SCHEMES, ENABLED_IMPORT_METHODS, EXTRA_PROPERTIES, IGNORE_USER_ROLES,
    IMAGE_IMPORT_PLUGINS, INJECT, OUTPUT_FORMAT, OptionSpec, TASK_TIME_TO_LIVE,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::oslo::values::quoted;
use crate::error::Result;

/// A step between fetching and storing the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// Decompresses gzip, zip or LHA data.
    Decompress,
    /// Converts data to another disk format: `qcow2`, `raw` or `vmdk`.
    Convert(String),
    /// Adds properties to the image, unless the caller has one of these roles.
    Inject {
        /// Names and values.
        properties: Vec<(String, String)>,
        /// Names of roles.
        unless: Vec<String>,
    },
}

/// Sources that data may be fetched from. If an allowed list is not empty, the disallowed list is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Schemes, in lower case.
    pub schemes: Lists<String>,
    /// Host names and addresses. A name may resolve to any machine.
    pub hosts: Lists<String>,
    /// Ports.
    pub ports: Lists<u16>,
}

/// Allowed items, or else disallowed items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists<T> {
    /// The only allowed items; empty: all that are not disallowed.
    pub allowed: Vec<T>,
    /// The disallowed items.
    pub disallowed: Vec<T>,
}

impl<T: PartialEq> Lists<T> {
    /// Returns whether `item` is allowed.
    pub fn allow(&self, item: &T) -> bool {
        if self.allowed.is_empty() {
            !self.disallowed.contains(item)
        } else {
            self.allowed.contains(item)
        }
    }
}

/// The import settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSettings {
    /// The available methods, in the order of the configuration.
    pub methods: Setting<Vec<String>>,
    /// The plugins, in order.
    pub plugins: Setting<Vec<Plugin>>,
    /// The sources that data may be fetched from.
    pub addresses: Setting<Addresses>,
    /// The prefixes of the properties that are copied from an image of another region.
    pub extra_properties: Setting<Vec<String>>,
    /// Hours for which a completed task is kept.
    pub task_hours: Setting<u32>,
}

/// Reads the import settings.
pub(in crate::config) fn read_import(reader: &Reader<'_>) -> ImportSettings {
    let list = |option| -> Setting<Vec<String>> {
        let list: Result<Located<'_, Vec<String>>> = reader.list(option);
        list.map(|list| list.value).into()
    };
    ImportSettings {
        methods: list(&ENABLED_IMPORT_METHODS),
        plugins: read_plugins(reader).into(),
        addresses: read_addresses(reader).into(),
        extra_properties: list(&EXTRA_PROPERTIES),
        task_hours: reader
            .integer(&TASK_TIME_TO_LIVE)
            .map(|hours| u32::try_from(hours.value).unwrap_or(u32::MAX))
            .into(),
    }
}

fn read_plugins(reader: &Reader<'_>) -> Result<Vec<Plugin>> {
    let mut plugins = Vec::new();
    for name in reader.list(&IMAGE_IMPORT_PLUGINS)?.value {
        match name.as_str() {
            "image_decompression" => plugins.push(Plugin::Decompress),
            "image_conversion" => {
                plugins.push(Plugin::Convert(
                    reader.text_or_default(&OUTPUT_FORMAT)?.value,
                ));
            }
            "inject_image_metadata" => plugins.push(Plugin::Inject {
                properties: reader.pairs(&INJECT)?.value,
                unless: reader.list(&IGNORE_USER_ROLES)?.value,
            }),
            _ => {}
        }
    }
    Ok(plugins)
}

fn read_addresses(reader: &Reader<'_>) -> Result<Addresses> {
    Ok(Addresses {
        schemes: Lists {
            allowed: lower(reader, &ALLOWED_SCHEMES)?,
            disallowed: lower(reader, &DISALLOWED_SCHEMES)?,
        },
        hosts: Lists {
            allowed: lower(reader, &ALLOWED_HOSTS)?,
            disallowed: lower(reader, &DISALLOWED_HOSTS)?,
        },
        ports: Lists {
            allowed: ports(reader, &ALLOWED_PORTS)?,
            disallowed: ports(reader, &DISALLOWED_PORTS)?,
        },
    })
}

/// Reads a list in lower case: schemes or host names.
fn lower(reader: &Reader<'_>, option: &'static OptionSpec) -> Result<Vec<String>> {
    let words = reader.list(option)?.value;
    Ok(words.into_iter().map(|word| word.to_lowercase()).collect())
}

fn ports(reader: &Reader<'_>, option: &'static OptionSpec) -> Result<Vec<u16>> {
    let words = reader.list(option)?;
    let ports = words.value.iter().map(|word| {
        let port = word.parse().ok().filter(|port| *port > 0);
        port.ok_or_else(|| words.refuse(format_args!("{} is not a port", quoted(word))))
    });
    ports.collect()
}
