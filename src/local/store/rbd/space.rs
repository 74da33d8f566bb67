//! The space of a pool, as the monitors report it.

use serde::Deserialize;

use crate::model::Space;

/// The command of the monitors.
pub(super) const COMMAND: &str = r#"{"prefix": "df", "detail": "detail", "format": "json"}"#;

#[derive(Deserialize)]
struct Report {
    pools: Vec<Pool>,
}

#[derive(Deserialize)]
struct Pool {
    name: String,
    stats: Stats,
}

/// Numbers of bytes, before replication.
#[derive(Deserialize)]
struct Stats {
    stored: u64,
    /// The bytes that still fit, regardless of the quota.
    max_avail: u64,
    /// The quota; 0 without one.
    #[serde(default)]
    quota_bytes: u64,
}

/// Returns the space of a pool from the output of [`COMMAND`]: the bytes that still fit, and these together with the stored data.
pub(super) fn read(report: &[u8], pool: &str) -> Option<Space> {
    let report: Report = serde_json::from_slice(report).ok()?;
    let stats = report.pools.into_iter().find(|of| of.name == pool)?.stats;
    let free = match stats.quota_bytes {
        0 => stats.max_avail,
        quota => stats.max_avail.min(quota.saturating_sub(stats.stored)),
    };
    Some(Space {
        free,
        total: free.saturating_add(stats.stored),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_limits_the_free_space_of_a_pool() {
        let report = |quota: u64| {
            let stats =
                format!(r#"{{"stored": 100, "max_avail": 900, "quota_bytes": {quota}, "x": 1}}"#);
            format!(
                r#"{{"stats": {{}}, "pools": [{{"name": "images", "id": 1, "stats": {stats}}}]}}"#
            )
        };
        for (quota, free) in [(0, 900), (5000, 900), (300, 200), (50, 0)] {
            let space = read(report(quota).as_bytes(), "images").unwrap();
            assert_eq!((space.free, space.total), (free, free + 100), "{quota}");
        }
        assert_eq!(read(report(0).as_bytes(), "other"), None);
        assert_eq!(read(b"not JSON", "images"), None);
    }
}
