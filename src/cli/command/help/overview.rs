//! The first screen: what a program is for, what it can do and where to read more.

use std::fmt::Write;

use super::super::grammar::Grammar;
use super::super::topics::TOPICS;
use super::usage;

/// A one-line description of the program.
pub(super) const ABOUT: &str = "Manage OpenStack images, with or without a server";

/// The commands of each group that are used most.
const GLANCE: &[(&str, &[&str])] = &[
    (
        "Images",
        &[
            "image-list",
            "image-show",
            "image-create",
            "image-upload",
            "image-download",
            "image-update",
            "image-delete",
        ],
    ),
    (
        "Sharing",
        &["member-list", "member-create", "member-update"],
    ),
    (
        "Imports and tasks",
        &["image-import", "image-create-via-import"],
    ),
    (
        "Stores and service",
        &["stores-info", "usage", "location-add"],
    ),
    ("Cache and upkeep", &["cache-list", "cache-queue", "scrub"]),
    ("Definitions", &["md-namespace-list", "md-property-list"]),
    (
        "As in openstack",
        &["image list", "image create", "image save", "image set"],
    ),
];

/// The same for the second grammar.
const OPENSTACK: &[(&str, &[&str])] = &[
    (
        "Images",
        &[
            "image list",
            "image show",
            "image create",
            "image save",
            "image set",
            "image unset",
            "image delete",
        ],
    ),
    ("Sharing", &["image member list", "image add project"]),
    ("Imports and tasks", &["image import", "image task list"]),
    ("Stores", &["image stores list"]),
    ("Cache", &["cached image list", "cached image queue"]),
    ("Definitions", &["image metadef namespace list"]),
];

/// Examples.
const GLANCE_EXAMPLES: &[&str] = &[
    "glance image create debian --disk-format qcow2 --file debian.qcow2",
    "glance image-list",
    "glance image save debian --file copy.qcow2",
    "glance image list --long -f json",
    "glance --os-cloud mycloud image-list",
];

/// The same in the second grammar.
const OPENSTACK_EXAMPLES: &[&str] = &[
    "openstack image create debian --disk-format qcow2 --file debian.qcow2",
    "openstack image list --long",
    "openstack image save debian --file copy.qcow2",
    "openstack --os-cloud mycloud image list -f json",
    "openstack image set debian --property os_distro=debian",
];

/// The width of the screen.
const WIDTH: usize = 80;

/// Returns the groups of the first screen, each with the commands that are used most.
pub(super) const fn groups(grammar: Grammar) -> &'static [(&'static str, &'static [&'static str])] {
    match grammar {
        Grammar::Glance => GLANCE,
        Grammar::Openstack => OPENSTACK,
    }
}

/// Returns the first screen of a program. `here` names the deployment that commands use.
pub fn overview(grammar: Grammar, here: &str) -> String {
    let name = grammar.program();
    let groups = groups(grammar);
    let examples = match grammar {
        Grammar::Glance => GLANCE_EXAMPLES,
        Grammar::Openstack => OPENSTACK_EXAMPLES,
    };
    let mut text = format!("{ABOUT}.\n{}\n\n", usage(grammar));
    let indent = groups.iter().map(|(title, _)| title.len()).max();
    let indent = indent.unwrap_or_default() + 4;
    for (title, names) in groups {
        let mut line = format!("  {title}:");
        line.push_str(&" ".repeat(indent - line.len()));
        for (index, name) in names.iter().enumerate() {
            let name = format!("{}{name}", if index == 0 { "" } else { ", " });
            if line.len() + name.len() + ", ...".len() > WIDTH {
                break;
            }
            line.push_str(&name);
        }
        let _ = writeln!(text, "{line}, ...");
    }
    text.push_str("\nExamples:\n");
    for example in examples {
        let _ = writeln!(text, "  {example}");
    }
    let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    let topics = topics.join("|");
    let _ = write!(text, "\n{here}\n\nMore: {name} help COMMAND|{topics}\n");
    text
}
