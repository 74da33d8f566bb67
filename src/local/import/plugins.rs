//! What is done to data and image between the staging area and the stores, as the configuration wants it.
//!
//! The data that was staged is not touched: what is made of it lies beside it.
//!
//! *Source:* `glance/async_/flows/plugins/*.py` of the reference implementation.

mod wrapping;
mod zip;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use self::wrapping::Wrapping;
use super::convert;
use crate::config::Formats;
use crate::config::settings::import::Plugin;
use crate::data::Watch;
use crate::data::blocking;
use crate::data::durable::{directory_of, give_to_owner};
use crate::local::engine::FILE_MODE;
use crate::local::inspection::Inspection;
use crate::local::quota::Cap;
use crate::local::staging::{CONVERTED, UNWRAPPED};
use crate::model::{Caller, Image};
use crate::{Error, Result};

/// Bytes that are copied at a time.
const BLOCK: usize = 256 * 1024;

/// Data and image that the plugins work on.
pub(super) struct Workpiece<'a> {
    /// The file that the data is in; another one afterwards, if it was changed.
    pub path: &'a mut PathBuf,
    /// The image; not recorded yet.
    pub image: &'a mut Image,
    /// Who asked for it.
    pub caller: &'a Caller,
    /// What formats may be.
    pub formats: &'a Formats,
    /// How much data it may become.
    pub cap: Cap,
}

impl Workpiece<'_> {
    /// Whether one of the plugins reads the data.
    pub fn needs_file(plugins: &[Plugin]) -> bool {
        plugins
            .iter()
            .any(|plugin| matches!(plugin, Plugin::Decompress | Plugin::Convert(_)))
    }

    /// Gives the image the properties that the configuration has for all.
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

    /// Does all that the plugins are for, in their order.
    pub async fn work(mut self, plugins: &[Plugin], watch: &Watch) -> Result<()> {
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

    /// Takes the data out of a gzip, zip or LHA wrapping, if it is in one and shall not stay so.
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

    /// Converts the data to another disk format. Whatever container it is in, it is inspected before
    /// `qemu-img` sees it, and again when it is converted: one format may be hidden in another.
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

    /// Refuses data that is not exactly of a disk format, or not safe.
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

/// Opens a file in the staging area; never through a link.
fn open_staged(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|e| Error::io("open", path, e))
}

/// Creates a file beside a staged one, in place of what an earlier attempt left; never through a link.
pub(super) fn create_derived(path: &Path) -> Result<File> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", path, e)),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|e| Error::io("create", path, e))?;
    give_to_owner(&file, directory_of(path));
    Ok(file)
}

/// Reads a file from its beginning to its end.
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
