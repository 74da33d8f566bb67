//! Tables for people: sizes with units, times of this host, colors.

use serde_json::Value;

use super::{Cell, Options};
use crate::model::Timestamp;

/// The content of a column or field, derived from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A size in bytes.
    Size,
    /// A moment.
    Time,
    /// The status of a resource.
    Status,
    /// The ID of a resource, which is useful as a whole only.
    Id,
    /// Anything else.
    Other,
}

impl Kind {
    /// Returns what a column or field of this name holds.
    pub(super) fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "size" | "virtual_size" | "virtual size" | "bytes" => Self::Size,
            "status" => Self::Status,
            name if name == "id" || name.ends_with(" id") || name.ends_with("_id") => Self::Id,
            "last accessed (utc)" | "last modified (utc)" => Self::Time,
            name if name.ends_with("_at") || name.ends_with(" at") => Self::Time,
            _ => Self::Other,
        }
    }
}

/// Returns the text of a cell as the options ask for it; None for the usual one.
pub(super) fn text(kind: Kind, cell: &Cell, options: &Options) -> Option<String> {
    match (kind, cell.value()) {
        (Kind::Size, Value::Number(size)) if options.human_sizes => {
            size.as_u64().map(size_in_units)
        }
        (Kind::Time, Value::String(moment)) if options.local_times => {
            Timestamp::parse(moment)?.to_local("%Y-%m-%d %H:%M:%S")
        }
        _ => None,
    }
}

/// Returns a column's name, without a zone that does not apply.
pub(super) fn name(name: String, options: &Options) -> String {
    match name.strip_suffix(" (UTC)") {
        Some(short) if options.local_times => short.to_string(),
        _ => name,
    }
}

/// Returns a size in the largest unit of a power of 1024 in which it is at least 1.
fn size_in_units(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let steps = bytes.max(1).ilog2() / 10;
    let Some(unit) = steps
        .checked_sub(1)
        .and_then(|step| UNITS.get(step as usize))
    else {
        return format!("{bytes} B");
    };
    // Hundredths, rounded, without loss for large numbers.
    let divisor = 1_u128 << (10 * steps);
    let hundredths = (u128::from(bytes) * 100 + divisor / 2) / divisor;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match rest {
        0 => format!("{whole} {unit}"),
        _ => format!("{whole}.{rest:02} {unit}"),
    }
}

/// Returns the color of a status, as a parameter of the escape sequence; None for other texts.
pub(super) fn color(status: &str) -> Option<&'static str> {
    Some(match status {
        "active" | "success" | "accepted" | "ok" => "32",
        "queued" | "saving" | "uploading" | "importing" | "processing" | "pending"
        | "pending_delete" | "warning" => "33",
        "killed" | "failure" | "rejected" | "error" => "31",
        "deactivated" | "deleted" => "2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_powers_of_1024() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.50 KiB"),
            (300 << 20, "300 MiB"),
            (2_361_393_152, "2.20 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size_in_units(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn what_a_column_holds_is_known_by_its_name() {
        for (name, kind) in [
            ("Size", Kind::Size),
            ("virtual_size", Kind::Size),
            ("min_disk", Kind::Other),
            ("created_at", Kind::Time),
            ("Created At", Kind::Time),
            ("Last Accessed (UTC)", Kind::Time),
            ("status", Kind::Status),
            ("Member ID", Kind::Id),
            ("image_id", Kind::Id),
            ("format", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
