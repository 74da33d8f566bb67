//! Streaming disk-format inspectors: the actual format of image data, the size of its disk, and whether it
//! is safe.
//!
//! Data is pushed in chunks of any size. Only the necessary parts of headers are captured, never the whole
//! image, and files that an image refers to are never opened. Every format inspects the same stream,
//! because an image that is valid in two formats is a classic attack.
//!
//! *Source:* the formats' specifications, and the `format_inspector` of oslo.utils, which the reference
//! implementation wraps around uploads.

mod bochs;
mod cloop;
mod finding;
mod gpt;
mod iso;
mod luks;
mod ploop;
pub mod policy;
mod qcow2;
mod qed;
mod region;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod vdi;
mod vhd;
mod vhdx;
mod vmdk;

use std::fmt;

pub use finding::{Finding, Offence, Weight};
pub use policy::{Acceptance, Declared, Policy, Reason, Refusal};

use region::{Tail, Window};
use vhdx::Vhdx;
use vmdk::Vmdk;

/// A disk format that can be detected in data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// No known format: any bytes.
    Raw,
    /// QEMU's copy-on-write format; version 1, which is refused, is detected too.
    Qcow2,
    /// QEMU's enhanced disk format, always refused.
    Qed,
    /// Virtual PC's format.
    Vhd,
    /// Hyper-V's format.
    Vhdx,
    /// VMware's format.
    Vmdk,
    /// VirtualBox's format.
    Vdi,
    /// A CD or DVD: ISO 9660, UDF.
    Iso,
    /// A partition table: GUID, or only a master boot record.
    Gpt,
    /// An encrypted container.
    Luks,
    /// Parallels' format, which Virtuozzo and OpenVZ call ploop.
    Ploop,
    /// A growing disk of Bochs, always refused.
    Bochs,
    /// A compressed loop device of Linux, always refused.
    Cloop,
}

impl Format {
    /// All detectable formats.
    pub const ALL: [Self; 13] = [
        Self::Raw,
        Self::Qcow2,
        Self::Qed,
        Self::Vhd,
        Self::Vhdx,
        Self::Vmdk,
        Self::Vdi,
        Self::Iso,
        Self::Gpt,
        Self::Luks,
        Self::Ploop,
        Self::Bochs,
        Self::Cloop,
    ];

    /// Returns the name as in `disk_format`; `qed`, `gpt`, `bochs` and `cloop` are not disk formats of
    /// Glance.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Iso => "iso",
            Self::Gpt => "gpt",
            Self::Luks => "luks",
            Self::Ploop => "ploop",
            Self::Bochs => "bochs",
            Self::Cloop => "cloop",
        }
    }

    /// Returns whether an image can have this disk format in a deployment.
    pub fn is_disk_format(self) -> bool {
        !matches!(self, Self::Qed | Self::Gpt | Self::Bochs | Self::Cloop)
    }

    /// Returns the format with that name; None for formats that cannot be detected, such as `ami`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The detected formats of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detected {
    /// One format; [`Format::Raw`] if none was recognized.
    One(Format),
    /// Several formats, in the order of [`Format::ALL`]; programs may differ in the one that they use.
    Several(Vec<Format>),
}

/// The result of an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The number of inspected bytes; the size of the image once the stream has ended.
    pub size: u64,
    /// Whether the whole stream was inspected; until then sizes and offences may be missing.
    pub is_final: bool,
    /// All formats whose signatures are at the beginning of the data, in the order of [`Format::ALL`];
    /// empty for raw data.
    pub findings: Vec<Finding>,
    /// The fixed VHD that the data is when it is read from its end; the beginning belongs to the guest.
    pub fixed_vhd: Option<Finding>,
}

impl Verdict {
    /// Returns the detected formats.
    ///
    /// A CD image that also contains a partition table is a CD image, as for those that boot from a USB
    /// stick.
    ///
    /// *Source:* `set_data` of the reference implementation's `location.py`.
    pub fn detected(&self) -> Detected {
        let formats: Vec<Format> = self.findings.iter().map(|found| found.format).collect();
        match formats.as_slice() {
            [] => Detected::One(Format::Raw),
            [only] => Detected::One(*only),
            [Format::Iso, Format::Gpt] => Detected::One(Format::Iso),
            _ => Detected::Several(formats),
        }
    }

    /// Returns the finding for a format; None for raw.
    pub fn finding(&self, format: Format) -> Option<&Finding> {
        self.findings.iter().find(|found| found.format == format)
    }

    /// Returns the size in bytes of the disk that a guest sees, according to the detected format.
    ///
    /// For raw data it is the size. None if it is zero, missing, or contradictory between formats.
    /// [`Policy::decide`] selects the size that the catalogue stores.
    pub fn virtual_size(&self) -> Option<u64> {
        match self.detected() {
            Detected::One(Format::Raw) => Some(self.size).filter(|size| *size > 0),
            Detected::One(format) => self.finding(format)?.virtual_size,
            Detected::Several(_) => None,
        }
    }

    /// Returns the offences of the data, of all detected formats.
    pub fn offences(&self) -> impl Iterator<Item = &Offence> {
        let detected = self.detected();
        self.findings
            .iter()
            .filter(move |found| match &detected {
                Detected::One(format) => found.format == *format,
                Detected::Several(_) => true,
            })
            .flat_map(|found| &found.offences)
    }
}

/// An inspector that receives image data in chunks and detects its format.
///
/// Uses at most [`Inspector::MAX_MEMORY`] bytes, usually three KiB. After the headers a push costs the copy
/// of the last 1536 bytes of the chunk.
#[derive(Clone, Debug)]
pub struct Inspector {
    position: u64,
    head: Window,
    volume: Window,
    vmdk: Vmdk,
    vhdx: Vhdx,
    tail: Tail,
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

impl Inspector {
    /// The maximum memory use in bytes: a full table of a VHDX and a line of a VMDK, with a reserve.
    pub const MAX_MEMORY: usize = 96 * 1024;

    /// Creates an inspector for the beginning of a stream.
    pub fn new() -> Self {
        Self {
            position: 0,
            head: Window::new(0, luks::HEADER),
            volume: iso::window(),
            vmdk: Vmdk::new(),
            vhdx: Vhdx::new(),
            tail: Tail::default(),
        }
    }

    /// Inspects the next bytes of the stream, any number of them.
    pub fn push(&mut self, chunk: &[u8]) {
        let start = self.position;
        self.position = start.saturating_add(chunk.len() as u64);
        self.head.push(start, chunk);
        self.volume.push(start, chunk);
        self.vmdk.push(start, chunk);
        self.vhdx.push(start, chunk);
        self.tail.push(chunk);
    }

    /// Inspects `count` zero bytes, such as a hole of a sparse file; the cost does not depend on their
    /// number.
    pub fn push_zeros(&mut self, mut count: u64) {
        static ZEROS: [u8; 4096] = [0; 4096];
        let kept = Tail::LENGTH as u64;
        while count > 0 {
            if self.head.is_complete() && self.volume.is_complete() && self.vmdk.is_over() {
                let wanted = self.vhdx.wanted().unwrap_or(u64::MAX);
                let skipped = count
                    .min(wanted.saturating_sub(self.position))
                    .saturating_sub(kept);
                self.position = self.position.saturating_add(skipped);
                count -= skipped;
            }
            let length = usize::try_from(count)
                .unwrap_or(ZEROS.len())
                .min(ZEROS.len());
            self.push(ZEROS.get(..length).unwrap_or(&ZEROS));
            count -= length as u64;
        }
    }

    /// Returns the number of inspected bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the memory in bytes that is used for captured data.
    pub fn memory(&self) -> usize {
        self.head.held()
            + self.volume.held()
            + self.vmdk.held()
            + self.vhdx.held()
            + self.tail.held()
    }

    /// Returns the result so far, once the formats at the beginning of the data are certain.
    ///
    /// Usually after 34 KiB; after at most one MiB if the data begins like text. The rest can only add
    /// offences, sizes and [`Verdict::fixed_vhd`].
    pub fn early_verdict(&self) -> Option<Verdict> {
        let is_settled = self.volume.is_complete() && self.vmdk.is_settled();
        is_settled.then(|| {
            let (vmdk, vhdx) = (self.vmdk.finding(), self.vhdx.finding());
            self.judge(vmdk, vhdx, false)
        })
    }

    /// Returns the result at the end of the stream.
    pub fn finish(mut self) -> Verdict {
        let vmdk = std::mem::replace(&mut self.vmdk, Vmdk::new());
        let vhdx = std::mem::replace(&mut self.vhdx, Vhdx::new());
        let vmdk = vmdk.finish(self.position, &self.tail);
        self.judge(vmdk, vhdx.finish(), true)
    }

    fn judge(&self, vmdk: Option<Finding>, vhdx: Option<Finding>, is_final: bool) -> Verdict {
        let head = self.head.data();
        let size = is_final.then_some(self.position);
        // In the order of Format::ALL.
        let findings: Vec<Finding> = [
            qcow2::examine(head),
            qed::examine(head),
            vhd::examine(head),
            vhdx,
            vmdk,
            vdi::examine(head),
            iso::examine(&self.volume),
            gpt::examine(head, size),
            luks::examine(head, size),
            ploop::examine(head),
            bochs::examine(head),
            cloop::examine(head),
        ]
        .into_iter()
        .flatten()
        .collect();
        let fixed_vhd = size.and_then(|size| vhd::examine_end(self.tail.last(vhd::FOOTER), size));
        Verdict {
            size: self.position,
            is_final,
            findings,
            fixed_vhd,
        }
    }
}
