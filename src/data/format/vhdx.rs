//! VHDX (Hyper-V).
//!
//! All numbers are little-endian: identifier `vhdxfile` at 0; the region table at 192 KiB contains the
//! metadata region, whose table contains the virtual disk size. Each step is captured while the stream
//! passes, so each must be after the previous one; the specification requires this of every writer.
//!
//! *Source:* \[MS-VHDX\] 2.2.3, 2.6; `VHDXInspector` of oslo.utils' `format_inspector`.

use super::region::{Window, le_u16, le_u32, le_u64};
use super::{Finding, Format};

const IDENTIFIER: &[u8] = b"vhdxfile";
const REGION_TABLE: u64 = 192 * 1024;
/// The size of the region table in bytes; all regions are after it.
const REGION_TABLE_LENGTH: u64 = 64 * 1024;
const REGION_SIGNATURE: &[u8] = b"regi";
const REGION_HEADER: usize = 16;
const METADATA_SIGNATURE: &[u8] = b"metadata";
const METADATA_HEADER: usize = 32;
/// The size of the metadata table in bytes; its items are after it.
const METADATA_TABLE_LENGTH: u64 = 64 * 1024;
/// The size in bytes of an entry in either table.
const ENTRY: usize = 32;
/// The maximum number of entries in either table.
const MAX_ENTRIES: usize = 2047;

const REGION_METADATA: [u8; 16] = guid(0x8b7c_a206_4790_4b9a_b8fe_575f_050f_886e);
const REGION_BLOCKS: [u8; 16] = guid(0x2dc2_7766_f623_4200_9d64_115e_9bfd_4a08);
const ITEM_DISK_SIZE: [u8; 16] = guid(0x2fa5_4224_cd1b_4876_b211_5dbe_d83b_f4b8);
const ITEM_PARENT: [u8; 16] = guid(0xa8d3_5f2d_b30b_454d_abf7_d3d8_4834_ab0c);
/// The items for file parameters, disk identifier, logical and physical sector size.
const IGNORED_ITEMS: [[u8; 16]; 4] = [
    guid(0xcaa1_6737_fa36_4d43_b3b6_33f0_aa44_e76b),
    guid(0xbeca_12ab_b2e6_4523_93ef_c309_e000_c746),
    guid(0x8141_bf1d_a96f_4709_ba47_f233_a8fa_ab5f),
    guid(0xcda3_48c7_445d_4471_9cc9_e988_5251_c556),
];

/// Returns a GUID, given as one number, in its stored form: its first three groups are little-endian.
const fn guid(text: u128) -> [u8; 16] {
    let mut bytes = text.to_be_bytes();
    bytes.swap(0, 3);
    bytes.swap(1, 2);
    bytes.swap(4, 5);
    bytes.swap(6, 7);
    bytes
}

/// The inspection state of a stream that may be a VHDX.
#[derive(Clone, Debug)]
pub(super) struct Vhdx {
    stage: Stage,
    window: Window,
    /// The offset of the metadata region in bytes.
    metadata: u64,
    finding: Option<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Identifier,
    RegionHeader,
    RegionEntries,
    MetadataHeader,
    MetadataEntries,
    DiskSize,
    Over,
}

impl Vhdx {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Identifier,
            window: Window::new(0, IDENTIFIER.len()),
            metadata: 0,
            finding: None,
        }
    }

    /// Adds a chunk that begins at byte `start` of the stream.
    pub(super) fn push(&mut self, start: u64, chunk: &[u8]) {
        while self.stage != Stage::Over {
            self.window.push(start, chunk);
            if !self.window.is_complete() {
                return;
            }
            let window = std::mem::replace(&mut self.window, Window::new(0, 0));
            (self.stage, self.window) = self
                .advance(&window)
                .unwrap_or((Stage::Over, Window::new(0, 0)));
        }
    }

    /// Returns whether no more data is needed.
    fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Returns the first byte that is needed next; None if no more is.
    pub(super) fn wanted(&self) -> Option<u64> {
        (!self.is_over()).then(|| self.window.offset())
    }

    /// Returns the finding so far.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.finding.clone()
    }

    /// Returns the finding at the end of the stream.
    pub(super) fn finish(self) -> Option<Finding> {
        let mut finding = self.finding?;
        let what = match self.stage {
            Stage::Identifier | Stage::Over => return Some(finding),
            Stage::RegionHeader | Stage::RegionEntries => "region table",
            Stage::MetadataHeader | Stage::MetadataEntries => "metadata table",
            Stage::DiskSize => "metadata",
        };
        finding.add_cut_short(self.window.offset(), what);
        Some(finding)
    }

    /// Returns the used memory in bytes.
    pub(super) fn held(&self) -> usize {
        self.window.held()
    }

    /// Reads a complete window, and returns the next one, if there is one.
    fn advance(&mut self, window: &Window) -> Option<(Stage, Window)> {
        if self.stage == Stage::Identifier {
            if window.data() != IDENTIFIER {
                return None;
            }
            self.finding = Some(Finding::new(Format::Vhdx, 0));
            return Some((
                Stage::RegionHeader,
                Window::new(REGION_TABLE, REGION_HEADER),
            ));
        }
        let mut finding = self.finding.take()?;
        let next = match self.stage {
            Stage::Identifier | Stage::Over => None,
            Stage::RegionHeader => read_region_header(window, &mut finding),
            Stage::RegionEntries => self.read_region_entries(window, &mut finding),
            Stage::MetadataHeader => read_metadata_header(window, &mut finding),
            Stage::MetadataEntries => self.read_metadata_entries(window, &mut finding),
            Stage::DiskSize => {
                finding.measure(le_u64(window.data(), 0).into(), window.offset());
                None
            }
        };
        self.finding = Some(finding);
        next
    }

    fn read_region_entries(
        &mut self,
        window: &Window,
        finding: &mut Finding,
    ) -> Option<(Stage, Window)> {
        let mut metadata = None;
        for (offset, entry) in entries(window) {
            if entry.starts_with(&REGION_METADATA) {
                if metadata.is_some() {
                    finding.add_malformed(offset, "has two metadata regions");
                    return None;
                }
                metadata = Some((offset, le_u64(entry, 16)));
            } else if !entry.starts_with(&REGION_BLOCKS) && le_u32(entry, 28) & 1 != 0 {
                finding.add_unsafe(
                    "unknown_features",
                    offset,
                    "requires a region of an unknown kind",
                );
            }
        }
        let Some((offset, start)) = metadata else {
            finding.add_malformed(REGION_TABLE, "has no metadata region");
            return None;
        };
        let is_in_place =
            start >= REGION_TABLE + REGION_TABLE_LENGTH && i64::try_from(start).is_ok();
        if !is_in_place {
            finding.add_malformed(
                offset + 16,
                format_args!("has its metadata region at byte {start}"),
            );
            return None;
        }
        self.metadata = start;
        Some((Stage::MetadataHeader, Window::new(start, METADATA_HEADER)))
    }

    fn read_metadata_entries(
        &mut self,
        window: &Window,
        finding: &mut Finding,
    ) -> Option<(Stage, Window)> {
        let mut size = None;
        for (offset, entry) in entries(window) {
            if entry.starts_with(&ITEM_DISK_SIZE) {
                if size.is_some() {
                    finding.add_malformed(offset, "states its virtual disk size twice");
                    return None;
                }
                size = Some((offset, le_u32(entry, 16), le_u32(entry, 20)));
            } else if entry.starts_with(&ITEM_PARENT) {
                finding.add_unsafe("parent", offset, "names a parent file");
            } else if !IGNORED_ITEMS.iter().any(|known| entry.starts_with(known))
                && le_u32(entry, 24) & 4 != 0
            {
                finding.add_unsafe(
                    "unknown_features",
                    offset,
                    "requires a metadata item of an unknown kind",
                );
            }
        }
        let Some((offset, start, length)) = size else {
            finding.add_malformed(self.metadata, "states no virtual disk size");
            return None;
        };
        if u64::from(start) < METADATA_TABLE_LENGTH || length != 8 {
            finding.add_malformed(
                offset + 16,
                format_args!(
                    "has a virtual disk size of {length} bytes at byte {start} of its metadata"
                ),
            );
            return None;
        }
        let start = self.metadata.saturating_add(start.into());
        Some((Stage::DiskSize, Window::new(start, 8)))
    }
}

fn read_region_header(window: &Window, finding: &mut Finding) -> Option<(Stage, Window)> {
    let data = window.data();
    if !data.starts_with(REGION_SIGNATURE) {
        finding.add_malformed(window.offset(), "has no region table");
        return None;
    }
    let count = count(le_u32(data, 8), window.offset() + 8, finding)?;
    Some((
        Stage::RegionEntries,
        Window::new(window.end(), count * ENTRY),
    ))
}

fn read_metadata_header(window: &Window, finding: &mut Finding) -> Option<(Stage, Window)> {
    let data = window.data();
    if !data.starts_with(METADATA_SIGNATURE) {
        finding.add_malformed(window.offset(), "has no metadata table");
        return None;
    }
    let offset = window.offset().saturating_add(10);
    let count = count(le_u16(data, 10).into(), offset, finding)?;
    Some((
        Stage::MetadataEntries,
        Window::new(window.end(), count * ENTRY),
    ))
}

/// Returns the number of entries of a table at byte `offset`, if it is valid.
fn count(stated: u32, offset: u64, finding: &mut Finding) -> Option<usize> {
    let count = usize::try_from(stated)
        .ok()
        .filter(|count| *count <= MAX_ENTRIES);
    if count.is_none() {
        finding.add_malformed(
            offset,
            format_args!("has a table of {stated} entries, more than {MAX_ENTRIES}"),
        );
    }
    count
}

/// Returns the entries of a table, each with its offset in the stream.
fn entries(window: &Window) -> impl Iterator<Item = (u64, &[u8])> {
    let first = window.offset();
    let entries = window.data().chunks_exact(ENTRY).enumerate();
    entries.map(move |(index, entry)| (first.saturating_add((index * ENTRY) as u64), entry))
}
