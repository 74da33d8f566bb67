//! Streaming disk-format inspectors: what image data really is, how large a disk it holds, and whether it
//! is safe to hand on.
//!
//! Data is pushed as it goes by, cut in any way; what is needed of a header is captured, the image never
//! is, and no file that an image names is ever opened. Every format looks at the same stream, because an
//! image that is two things at once is the classic attack.
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

/// A disk format that data can be told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Nothing that is known: any bytes at all.
    Raw,
    /// QEMU's copy-on-write format; version 1 too, which is refused.
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
    /// Every format that data can be told to be.
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

    /// The name as `disk_format` has it; `qed`, `gpt`, `bochs` and `cloop` are no disk formats of Glance's.
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

    /// Whether an image can have this disk format in a deployment.
    pub fn is_disk_format(self) -> bool {
        !matches!(self, Self::Qed | Self::Gpt | Self::Bochs | Self::Cloop)
    }

    /// The format of that name; None for what data cannot be told to be, such as `ami`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What data was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detected {
    /// One format; [`Format::Raw`] where nothing was recognised.
    One(Format),
    /// Several at once, in the order of [`Format::ALL`]: nobody can say which one a reader will take.
    Several(Vec<Format>),
}

/// What an inspector found out about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Bytes seen; the size of the image once the stream has ended.
    pub size: u64,
    /// Whether the whole stream was seen; until then sizes and offences may be missing.
    pub is_final: bool,
    /// Every format that the beginning of the data carries the marks of, in the order of [`Format::ALL`];
    /// empty where there is none: raw.
    pub findings: Vec<Finding>,
    /// The fixed VHD that the data is when it is read from its end; its beginning belongs to the guest.
    pub fixed_vhd: Option<Finding>,
}

impl Verdict {
    /// What the data is.
    ///
    /// A CD image that also carries a partition table is a CD image: those that boot from a USB stick do.
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

    /// What was found of a format; None for raw.
    pub fn finding(&self, format: Format) -> Option<&Finding> {
        self.findings.iter().find(|found| found.format == format)
    }

    /// Size in bytes of the disk that a guest would see, were the data taken for what it is.
    ///
    /// For raw data the size; None where it is zero, not stated, or several formats contradict each other.
    /// What the catalogue stores is [`Policy::decide`]'s to say.
    pub fn virtual_size(&self) -> Option<u64> {
        match self.detected() {
            Detected::One(Format::Raw) => Some(self.size).filter(|size| *size > 0),
            Detected::One(format) => self.finding(format)?.virtual_size,
            Detected::Several(_) => None,
        }
    }

    /// What speaks against the data, were it taken for what it is; of all formats where it is several.
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

/// Watches image data go by and finds out what it is.
///
/// Holds at most [`Inspector::MOST_MEMORY`] bytes, usually three KiB. Once the headers are read, a push
/// costs the copy of the last 1536 bytes of the chunk.
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
    /// Bytes of memory that are never exceeded: a full table of a VHDX and a line of a VMDK, with room.
    pub const MOST_MEMORY: usize = 96 * 1024;

    /// An inspector at the beginning of a stream.
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

    /// Takes the next bytes of the stream, any number of them.
    pub fn push(&mut self, chunk: &[u8]) {
        let start = self.position;
        self.position = start.saturating_add(chunk.len() as u64);
        self.head.feed(start, chunk);
        self.volume.feed(start, chunk);
        self.vmdk.push(start, chunk);
        self.vhdx.push(start, chunk);
        self.tail.feed(chunk);
    }

    /// Takes `count` zero bytes, as a hole of a sparse file is; cheap however many.
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

    /// Bytes seen so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of memory held for captured data.
    pub fn memory(&self) -> usize {
        self.head.held()
            + self.volume.held()
            + self.vmdk.held()
            + self.vhdx.held()
            + self.tail.held()
    }

    /// What is known so far, once the formats that the beginning carries the marks of are certain.
    ///
    /// Usually after 34 KiB; after at most a MiB where the data begins like text. What follows can only add
    /// offences, sizes and [`Verdict::fixed_vhd`].
    pub fn early_verdict(&self) -> Option<Verdict> {
        let is_settled = self.volume.is_complete() && self.vmdk.is_settled();
        is_settled.then(|| {
            let (vmdk, vhdx) = (self.vmdk.finding(), self.vhdx.finding());
            self.judge(vmdk, vhdx, false)
        })
    }

    /// What the stream is, now that it has ended.
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
