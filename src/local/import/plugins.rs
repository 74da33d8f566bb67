//! What is done to data and image between the staging area and the stores, as the configuration wants it.
//!
//! The data that was staged is not touched: what is made of it lies beside it.
//!
//! *Source:* `glance/async_/flows/plugins/*.py` of the reference implementation.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::convert;
use crate::config::Formats;
use crate::config::import::Plugin;
use crate::data::Watch;
use crate::local::inspection::Inspection;
use crate::local::quota::Cap;
use crate::local::staging::{CONVERTED, UNWRAPPED};
use crate::local::store::blocking;
use crate::model::{Caller, Image, Role};
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
            let roles = [Role::Reader, Role::Member, Role::Admin];
            let mut had = roles.into_iter().filter(|role| *role <= caller.role);
            if had.any(|role| unless.iter().any(|name| name == role.name())) {
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

    /// Converts the data to another disk format, once it was found to be what it is said to be.
    async fn convert(&mut self, to: &str, watch: &Watch) -> Result<()> {
        let from = self.image.disk_format.clone().unwrap_or_default();
        if from == "iso" || from == to {
            return self.inspect(watch).await;
        }
        let driver = convert::driver(&from).ok_or_else(|| {
            Error::unsupported_media(format!("images of format {from} cannot be converted"))
        })?;
        self.inspect(watch).await?;
        let target = self.path.with_extension(CONVERTED);
        let conversion = convert::Conversion {
            from: driver,
            source: self.path,
            to,
            target: &target,
            most: self.cap.bytes,
        };
        conversion.run(watch).await?;
        self.image.disk_format = Some(to.to_string());
        self.image.container_format = Some("bare".to_string());
        *self.path = target;
        // One format may be hidden in another, and come out now.
        self.inspect(watch).await
    }

    /// Refuses data that is not what the image says, or not safe.
    async fn inspect(&self, watch: &Watch) -> Result<()> {
        let strict = Formats {
            require_match: true,
            ..self.formats.clone()
        };
        let mut inspection = Inspection::begin(self.image, &strict, false);
        let (path, watch) = (self.path.clone(), watch.clone());
        blocking(move || {
            read_blocks(&path, &watch, |block| inspection.look(block))?;
            inspection.finish().map(|_| ())
        })
        .await
    }
}

/// Reads a file from its beginning to its end.
fn read_blocks(
    path: &Path,
    watch: &Watch,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut file = File::open(path).map_err(|e| Error::io("open", path, e))?;
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

/// What data can be wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapping {
    Gzip,
    Zip,
    Lha,
}

impl Wrapping {
    /// The wrapping of a file, by its first bytes.
    fn of(path: &Path) -> Result<Option<Self>> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let mut head = [0; 5];
        let bytes = file
            .read_at(&mut head, 0)
            .map_err(|e| Error::io("read", path, e))?;
        Ok(match &head[..bytes] {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            [_, _, b'-', b'l', b'h'] => Some(Self::Lha),
            _ => None,
        })
    }

    /// Unwraps the one file that is in it.
    fn unwrap(self, from: &Path, to: &Path, cap: Cap, watch: &Watch) -> Result<()> {
        let file = File::open(from).map_err(|e| Error::io("open", from, e))?;
        let bad = |why: String| {
            Error::unsupported_media(format!("the data cannot be decompressed: {why}"))
        };
        match self {
            Self::Gzip => {
                let reader = flate2::read::MultiGzDecoder::new(io::BufReader::new(file));
                copy(reader, to, cap, watch)
            }
            Self::Zip => {
                let mut archive = zip::ZipArchive::new(io::BufReader::new(file))
                    .map_err(|e| bad(e.to_string()))?;
                if archive.len() != 1 {
                    return Err(bad(format!(
                        "the archive holds {} files instead of one",
                        archive.len()
                    )));
                }
                let entry = archive.by_index(0).map_err(|e| bad(e.to_string()))?;
                copy(entry, to, cap, watch)
            }
            Self::Lha => {
                let mut entry =
                    delharc::LhaDecodeReader::new(file).map_err(|e| bad(e.to_string()))?;
                if !entry.is_decoder_supported() {
                    return Err(bad(
                        "it is compressed in a way that is not known".to_string()
                    ));
                }
                copy(&mut entry, to, cap, watch)?;
                entry.crc_check().map_err(|e| bad(e.to_string()))?;
                match entry.next_file() {
                    Ok(false) => Ok(()),
                    _ => Err(bad("the archive holds more than one file".to_string())),
                }
            }
        }
    }
}

/// Writes what a decompressor gives, up to what an image may be.
fn copy(mut reader: impl Read, to: &Path, cap: Cap, watch: &Watch) -> Result<()> {
    let wrong = |e: io::Error| {
        Error::unsupported_media(format!("the data cannot be decompressed: {e}")).because(e)
    };
    let mut target = File::create(to).map_err(|e| Error::io("create", to, e))?;
    let mut count = cap.counter();
    let mut block = vec![0; BLOCK];
    loop {
        watch.check()?;
        match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(bytes) => {
                count(&block[..bytes])?;
                target
                    .write_all(&block[..bytes])
                    .map_err(|e| Error::io("write", to, e))?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(wrong(e)),
        }
    }
}
