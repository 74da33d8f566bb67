//! Vendor profiles for clouds.yaml: the facts that openstacksdk publishes about public clouds.
//!
//! *Source:* openstacksdk, `openstack/config/vendors/*` and its documentation ("Vendor Support").

use crate::config::yaml::{Map, Node, Value};

/// The known facts about a vendor's cloud.
pub enum Vendor {
    /// The address and regions.
    Known(Map),
    /// The address of the server that publishes its profile.
    Published(&'static str),
    /// A cloud that no longer exists, with the reason.
    Gone(&'static str),
}

/// A vendor's cloud.
struct Row {
    name: &'static str,
    /// The address of Keystone; `{region_name}` stands for the region. Empty if the cloud sets it.
    auth_url: &'static str,
    /// Regions; the first one is the default.
    regions: &'static [&'static str],
    /// Whether users and projects are in the domain called `Default`.
    in_default_domain: bool,
}

const fn row(name: &'static str, auth_url: &'static str, regions: &'static [&'static str]) -> Row {
    Row {
        name,
        auth_url,
        regions,
        in_default_domain: false,
    }
}

const fn in_default_domain(mut row: Row) -> Row {
    row.in_default_domain = true;
    row
}

const KNOWN: &[Row] = &[
    in_default_domain(row(
        "auro",
        "https://api.van2.auro.io:5000/v3",
        &["RegionOne"],
    )),
    row(
        "binero",
        "https://auth.binero.cloud:5000/v3",
        &["europe-se-1"],
    ),
    row("bluebox", "", &["RegionOne"]),
    row(
        "catalyst",
        "https://api.cloud.catalyst.net.nz:5000/v2.0",
        &["nz-por-1", "nz_wlg_2"],
    ),
    row(
        "citycloud",
        "https://{region_name}.citycloud.com:5000/v3/",
        &["Buf1", "Fra1", "Sto2", "Kna1", "dx1", "tky1"],
    ),
    row(
        "conoha",
        "https://identity.{region_name}.conoha.io",
        &["sin1", "sjc1", "tyo1"],
    ),
    row("dreamcompute", "https://iad2.dream.io:5000", &["RegionOne"]),
    row("elastx", "https://ops.elastx.cloud:5000/v3", &["se-sto"]),
    row(
        "entercloudsuite",
        "https://api.entercloudsuite.com/",
        &["it-mil1", "nl-ams1", "de-fra1"],
    ),
    in_default_domain(row(
        "fuga",
        "https://identity.api.fuga.io:5000",
        &["cystack"],
    )),
    row(
        "limestonenetworks",
        "https://auth.cloud.lstn.net:5000/v3",
        &["us-dfw-1", "us-slc"],
    ),
    row(
        "otc",
        "https://iam.{region_name}.otc.t-systems.com/v3",
        &["eu-de", "eu-nl"],
    ),
    row(
        "otc-swiss",
        "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3",
        &["eu-ch2"],
    ),
    in_default_domain(row(
        "ovh-us",
        "https://auth.cloud.ovh.us/",
        &["US-EAST-VA-1", "US-WEST-OR-1", "US-EAST-VA", "US-WEST-OR"],
    )),
    row(
        "rackspace",
        "https://identity.api.rackspacecloud.com/v2.0/",
        &["DFW", "HKG", "IAD", "ORD", "SYD", "LON"],
    ),
    row(
        "switchcloud",
        "https://identity.compute.cloud.switch.ch/v3",
        &["zhw", "zhc"],
    ),
    row(
        "switchengines",
        "https://keystone.cloud.switch.ch:5000/v3",
        &["LS", "ZH"],
    ),
    row("zetta", "https://identity.api.zetta.io/v3", &["no-osl1"]),
];

/// Vendors that publish their profiles.
const PUBLISHED: &[(&str, &str)] = &[
    ("ovh", "https://ovhcloud.com"),
    ("vexxhost", "https://vexxhost.com"),
];

/// Clouds that no longer exist.
const GONE: &[(&str, &str)] = &[
    ("betacloud", "betacloud.de has ceased business"),
    ("ibmcloud", "its address no longer responds"),
    ("internap", "Internap is HorizonIQ now"),
    ("ultimum", "ultimum-cloud.com has ceased business"),
    ("unitedstack", "its address no longer responds"),
];

/// Returns the known facts about the vendor `name`.
pub fn find(name: &str) -> Option<Vendor> {
    let among = |table: &[(&'static str, &'static str)]| {
        let found = table.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    if let Some(url) = among(PUBLISHED) {
        return Some(Vendor::Published(url));
    }
    if let Some(reason) = among(GONE) {
        return Some(Vendor::Gone(reason));
    }
    let row = KNOWN.iter().find(|row| row.name == name)?;
    Some(Vendor::Known(row.profile()))
}

/// Returns the names of all vendors whose clouds exist, sorted.
pub fn names() -> Vec<&'static str> {
    let known = KNOWN.iter().map(|row| row.name);
    let mut names: Vec<&str> = known
        .chain(PUBLISHED.iter().map(|(name, _)| *name))
        .collect();
    names.sort_unstable();
    names
}

impl Row {
    /// Returns the profile in the form of a file.
    fn profile(&self) -> Map {
        let node = |value| Node { line: 0, value };
        let text = |text: &str| node(Value::Text(text.to_string()));
        let mut auth = Map::default();
        if !self.auth_url.is_empty() {
            auth.set("auth_url".to_string(), text(self.auth_url));
        }
        if self.in_default_domain {
            for key in ["user_domain_name", "project_domain_name"] {
                auth.set(key.to_string(), text("Default"));
            }
        }
        let mut profile = Map::default();
        profile.set("auth".to_string(), node(Value::Map(auth)));
        let regions = self.regions.iter().map(|region| text(region)).collect();
        profile.set("regions".to_string(), node(Value::List(regions)));
        profile
    }
}
