//! The import plugins: changes of the data and the image between the staging area and the stores, as configured.
//!
//! The staged data is not modified. Derived files are created next to it.
//!
//! *Source:* `glance/async_/flows/plugins/*.py` of the reference implementation.

mod wrapping;
mod zip;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::wrapping::Wrapping;
use super::convert;
use super::derived::open_staged;
use crate::config::Formats;
use crate::config::settings::import::Plugin;
use crate::data::Watch;
use crate::data::blocking;
use crate::local::inspection::Inspection;
use crate::local::quota::Cap;
use crate::local::staging::{CONVERTED, UNWRAPPED};
use crate::model::{Caller, Image};
use crate::{Error, Result};

/// The size of a copied block, in bytes.
const BLOCK: usize = 256 * 1024;

/// The data and image that the plugins process.
pub(super) struct PluginRun<'a> {
    /// The file with the data; replaced if a plugin changes the data.
    pub path: &'a mut PathBuf,
    /// The image, which is not recorded yet.
    pub image: &'a mut Image,
    /// The caller of the import.
    pub caller: &'a Caller,
    /// The allowed formats.
    pub formats: &'a Formats,
    /// The maximum size of the data.
    pub cap: Cap,
}

impl PluginRun<'_> {
    /// Returns whether one of the plugins reads the data.
    pub fn needs_file(plugins: &[Plugin]) -> bool {
        plugins
            .iter()
            .any(|plugin| matches!(plugin, Plugin::Decompress | Plugin::Convert(_)))
    }

    /// Adds the configured properties to the image.
    pub fn inject(plugins: &[Plugin], image: &mut Image, caller: &Caller) {
        for plugin in plugins {
            let Plugin::Inject { properties, unless } = plugin else {
                continue;
            };
            if caller.roles.iter().any(|role| unless.contains(role)) {
                continue;
            }
            for (name, value) in properties {
                if !name.starts_with("os_glance") {
                    image.set_property(name, value);
                }
            }
        }
    }

    /// Runs all plugins in order.
    pub async fn run(mut self, plugins: &[Plugin], watch: &Watch) -> Result<()> {
        for plugin in plugins {
            watch.check()?;
            match plugin {
                Plugin::Decompress => self.unwrap(watch).await?,
                Plugin::Convert(format) => self.convert(format, watch).await?,
                Plugin::Inject { .. } => {}
            }
        }
        Self::inject(plugins, self.image, self.caller);
        Ok(())
    }

    /// Decompresses gzip, zip or LHA data, unless the image's format is `compressed`.
    async fn unwrap(&mut self, watch: &Watch) -> Result<()> {
        if self.image.container_format.as_deref() == Some("compressed") {
            return Ok(());
        }
        let from = self.path.clone();
        let to = from.with_extension(UNWRAPPED);
        let (cap, watch) = (self.cap, watch.clone());
        let unwrapped = blocking(move || {
            let Some(wrapping) = Wrapping::of(&from)? else {
                return Ok(None);
            };
            wrapping.unwrap(&from, &to, cap, &watch)?;
            Ok(Some(to))
        });
        if let Some(path) = unwrapped.await? {
            *self.path = path;
        }
        Ok(())
    }

    /// Converts the data to another disk format. It is inspected before `qemu-img` reads it, and again after the
    /// conversion, because one format may be hidden in another. The container format does not matter.
    async fn convert(&mut self, to: &str, watch: &Watch) -> Result<()> {
        let from = self.image.disk_format.clone().unwrap_or_default();
        if from == "iso" {
            return self.inspect(&from, watch).await;
        }
        let driver = convert::driver(&from).ok_or_else(|| {
            Error::unsupported_media(format!("images of format {from} cannot be converted"))
        })?;
        self.inspect(&from, watch).await?;
        let target = self.path.with_extension(CONVERTED);
        let conversion = convert::Conversion {
            from: driver,
            source: self.path,
            to,
            target: &target,
            cap: self.cap,
            vmdk_types: &self.formats.vmdk_types,
        };
        if from == to {
            return conversion.check(watch).await;
        }
        conversion.run(watch).await?;
        *self.path = target;
        self.inspect(to, watch).await?;
        self.image.disk_format = Some(to.to_string());
        self.image.container_format = Some("bare".to_string());
        Ok(())
    }

    /// Checks that data is safe and exactly of a disk format.
    async fn inspect(&self, disk_format: &str, watch: &Watch) -> Result<()> {
        let mut inspection = Inspection::for_conversion(disk_format, self.formats);
        let (path, watch) = (self.path.clone(), watch.clone());
        blocking(move || {
            read_blocks(&path, &watch, |block| inspection.look(block))?;
            inspection.finish().map(|_| ())
        })
        .await
    }
}

/// Reads a file from beginning to end.
fn read_blocks(
    path: &Path,
    watch: &Watch,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut file = open_staged(path)?;
    let mut block = vec![0; BLOCK];
    loop {
        watch.check()?;
        match file.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(bytes) => each(&block[..bytes])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, e)),
        }
    }
}

#[cfg(test)]
mod tests;
