//! ISO 9660 and UDF: the volume descriptor at byte 32768.
//!
//! Type at 0, standard identifier 1, volume size in blocks 80 and block size in bytes 128 (both in both
//! byte orders, the little-endian one first).
//!
//! *Source:* ECMA-119; `ISOInspector` of oslo.utils' `format_inspector`.

use super::region::{Window, le_u16, le_u32};
use super::{Finding, Format};

/// The number of bytes before the volume descriptors.
const SYSTEM_AREA: u64 = 32 * 1024;
/// The size of a volume descriptor in bytes.
const DESCRIPTOR: usize = 2048;
const PRIMARY: u8 = 1;

/// Returns the window of the first volume descriptor.
pub(super) fn window() -> Window {
    Window::new(SYSTEM_AREA, DESCRIPTOR)
}

/// Returns the finding from a complete volume descriptor.
pub(super) fn examine(window: &Window) -> Option<Finding> {
    let data = window.data();
    let identifier = data.get(1..6)?;
    if !window.is_complete()
        || ![b"CD001", b"NSR02", b"NSR03"]
            .iter()
            .any(|known| identifier == *known)
    {
        return None;
    }
    let mut finding = Finding::new(Format::Iso, SYSTEM_AREA + 1);
    if data.first() == Some(&PRIMARY) {
        let bytes = u128::from(le_u32(data, 80)) * u128::from(le_u16(data, 128));
        finding.measure(bytes, SYSTEM_AREA + 80);
    }
    Some(finding)
}
