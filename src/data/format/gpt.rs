//! Partition tables: the master boot record, which protects a GUID partition table too.
//!
//! Signature 0x55 0xaa at 510, four entries of 16 bytes from 446: boot flag at 0, first cylinder, head
//! and sector 1, type 4, first block 8.
//!
//! *Source:* UEFI specification, 5.2; `GPTInspector` of oslo.utils' `format_inspector`.

use super::region::le_u32;
use super::{Finding, Format};

const SECTOR: usize = 512;
const SIGNATURE: &[u8] = &[0x55, 0xaa];
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
/// The type of the entry that protects a GUID partition table.
const PROTECTIVE: u8 = 0xee;
/// The first cylinder, head and sector of such an entry.
const PROTECTIVE_START: &[u8] = &[0x00, 0x02, 0x00];

/// Returns the finding from the first bytes of the stream; `head` is the first 592 bytes.
///
/// `size` is the length of the whole stream in bytes once it is known; it is the virtual size.
pub(super) fn examine(head: &[u8], size: Option<u64>) -> Option<Finding> {
    let sector = head.get(..SECTOR)?;
    if !sector.ends_with(SIGNATURE) || is_fat(sector) {
        return None;
    }
    let mut finding = Finding::new(Format::Gpt, 510);
    finding.measure(size.unwrap_or_default().into(), 0);
    check_entries(sector, &mut finding);
    Some(finding)
}

/// Returns whether a boot sector belongs to a FAT file system. It ends in the same signature, but has two
/// FATs and the media type of a fixed disk.
fn is_fat(sector: &[u8]) -> bool {
    sector.get(0x10) == Some(&2) && sector.get(0x15) == Some(&0xf8)
}

/// Records the first error of the four entries.
fn check_entries(sector: &[u8], finding: &mut Finding) {
    let mut used = Vec::with_capacity(4);
    let mut is_protective = false;
    let entries = sector
        .get(ENTRIES..)
        .unwrap_or_default()
        .chunks_exact(ENTRY)
        .take(4);
    for (index, entry) in entries.enumerate() {
        let offset = (ENTRIES + index * ENTRY) as u64;
        let (flag, kind) = match entry {
            [flag, _, _, _, kind, ..] => (*flag, *kind),
            _ => return,
        };
        if flag & 0x7f != 0 {
            finding.add_unsafe(
                "mbr",
                offset,
                format_args!("partition entry {index} has the invalid boot flag {flag:#04x}"),
            );
            return;
        }
        if kind != 0 {
            used.push(index);
        }
        if kind == PROTECTIVE {
            is_protective = true;
            if entry.get(1..4) != Some(PROTECTIVE_START) {
                finding.add_unsafe(
                    "mbr",
                    offset + 1,
                    format_args!(
                        "protective entry {index} starts at an invalid cylinder, head or sector"
                    ),
                );
                return;
            }
            if le_u32(entry, 8) != 1 {
                finding.add_unsafe(
                    "mbr",
                    offset + 8,
                    format_args!("protective entry {index} does not start at block 1"),
                );
                return;
            }
        }
    }
    if is_protective && used != [0] {
        finding.add_unsafe(
            "mbr",
            ENTRIES as u64,
            "protective record defines other partitions",
        );
    } else if used.is_empty() {
        finding.add_unsafe("mbr", ENTRIES as u64, "boot record defines no partition");
    }
}
