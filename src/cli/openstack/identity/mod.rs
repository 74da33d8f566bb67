//! Services and endpoints of Keystone's catalogue: `openstack service`, `openstack endpoint`.
//!
//! *Source:* openstackclient, `identity/v3/service.py` and `identity/v3/endpoint.py`.

pub mod endpoints;
pub mod services;

use super::attributes::either_flag;

/// Options for whether a service or an endpoint can be used.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Availability {
    /// Include it in the catalogue of tokens.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Omit it from the catalogue of tokens.
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
}

impl Availability {
    /// Returns whether it is enabled; None without an option.
    fn given(self) -> Option<bool> {
        either_flag(self.enable, self.disable)
    }

    /// Returns whether it is enabled, by default true.
    fn or_enabled(self) -> bool {
        !self.disable
    }
}

/// Returns the value of an option, which upstream ignores if it is empty.
fn nonempty(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}
