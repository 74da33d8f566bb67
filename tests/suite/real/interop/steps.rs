//! The commands that fill a deployment, for the real client and for ours.

use std::process::Command;

use super::Cloud;
use crate::support::Place;
use crate::support::realcloud::output_of;

/// The image of that number; the ids are given, so that the same commands can be run by both.
pub fn id(number: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{number:02}")
}

/// Disk images to upload, by name and format.
pub const DISKS: [(&str, &str); 6] = [
    ("disk.raw", "raw"),
    ("disk.qcow2", "qcow2"),
    ("disk.vmdk", "vmdk"),
    ("disk.vdi", "vdi"),
    ("disk.vhdx", "vhdx"),
    ("disk.vhd", "vhd"),
];

/// Makes the disk images, and an empty file, in the working directory.
pub fn make_disks(place: &Place) {
    let mut content = crate::support::Random::new(1).bytes(300_000);
    content.resize(4 << 20, 0);
    let raw = place.write("disk.raw", content);
    place.write("empty", "");
    for (name, options) in [
        ("disk.qcow2", &["-O", "qcow2"][..]),
        (
            "disk.vmdk",
            &["-O", "vmdk", "-o", "subformat=monolithicSparse"],
        ),
        ("disk.vdi", &["-O", "vdi"]),
        ("disk.vhdx", &["-O", "vhdx"]),
        ("disk.vhd", &["-O", "vpc"]),
    ] {
        output_of(
            Command::new("qemu-img")
                .args(["convert", "-f", "raw"])
                .args(options)
                .arg(&raw)
                .arg(place.file(name)),
        );
    }
}

/// A command of the first grammar, which the real client and ours both understand, and who gives it.
pub struct Step {
    pub user: &'static str,
    pub words: Vec<String>,
    /// The file that is piped in.
    pub input: Option<String>,
}

pub fn step(user: &'static str, words: &[&str]) -> Step {
    Step {
        user,
        words: words.iter().map(ToString::to_string).collect(),
        input: None,
    }
}

pub fn create(user: &'static str, number: u8, words: &[&[&str]]) -> Step {
    step(
        user,
        &[&["image-create", "--id", &id(number)], &words.concat()[..]].concat(),
    )
}

impl Step {
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }
}

/// What fills a deployment with images of every kind.
pub fn steps(place: &Place, named_stores: bool) -> Vec<Step> {
    let mut steps = disk_steps(place);
    steps.extend(kind_steps(place));
    if named_stores {
        let raw = path(place, "disk.raw");
        let data = [
            "--disk-format",
            "raw",
            "--container-format",
            "bare",
            "--file",
            &raw,
        ];
        steps.push(create(
            "admin",
            17,
            &[&data, &["--name", "elsewhere", "--store", "slow"]],
        ));
    }
    steps.extend(life_steps(place));
    steps
}

/// Images that are offered, accepted, rejected, and offered again.
pub fn member_steps(cloud: &Cloud) -> Vec<Step> {
    let (demo, other) = (&cloud.known["DEMO_PROJECT"], &cloud.known["OTHER_PROJECT"]);
    vec![
        step("demo", &["member-create", &id(15), other]),
        step("other", &["member-update", &id(15), other, "rejected"]),
        step("demo", &["member-delete", &id(15), other]),
        step("demo", &["member-create", &id(15), other]),
        step("other", &["member-update", &id(15), other, "accepted"]),
        step("admin", &["member-create", &id(6), demo]),
    ]
}

/// A file in the working directory, as a word.
fn path(place: &Place, name: &str) -> String {
    place.file(name).to_str().unwrap().to_string()
}

/// An image of each disk format.
fn disk_steps(place: &Place) -> Vec<Step> {
    let visibilities = ["public", "community", "shared", "private"];
    let step = |(number, (name, format)): (u8, (&str, &str))| {
        let visibility = visibilities[usize::from(number) % visibilities.len()];
        let file = path(place, name);
        let words = ["--name", name, "--disk-format", format, "--file", &file];
        create(
            "admin",
            number,
            &[
                &words,
                &["--container-format", "bare", "--visibility", visibility],
            ],
        )
    };
    (1..).zip(DISKS).map(step).collect()
}

/// Images with and without data, of several owners, with names and properties of every kind.
fn kind_steps(place: &Place) -> Vec<Step> {
    let (raw, empty) = (path(place, "disk.raw"), path(place, "empty"));
    let data = [
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--file",
        &raw,
    ];
    let nothing = [
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--file",
        &empty,
    ];
    let queued = ["--name", "queued", "--min-disk", "7", "--min-ram", "512"];
    let properties = [
        "--property",
        "note=wörter 漢字",
        "--property",
        "empty=",
        "--property",
        "hw_disk_bus=scsi",
    ];
    let named = [
        "--name",
        "crème 図",
        "--protected",
        "True",
        "--visibility",
        "public",
        "--tags",
        "one",
        "zwei",
        "三",
    ];
    vec![
        create("admin", 10, &[&queued]),
        create("admin", 11, &[&properties, &named]),
        create(
            "admin",
            12,
            &[
                &data,
                &[
                    "--name",
                    "hidden",
                    "--hidden",
                    "True",
                    "--visibility",
                    "public",
                ],
            ],
        ),
        create("admin", 13, &[&nothing, &["--name", "empty"]]),
        create(
            "demo",
            14,
            &[&data, &["--name", "demo's", "--visibility", "private"]],
        ),
        create("demo", 15, &[&data, &["--name", "demo's shared"]]),
        create(
            "demo",
            16,
            &[
                &data,
                &["--name", "demo's community", "--visibility", "community"],
            ],
        ),
    ]
}

/// Images that are deactivated, deleted and changed.
fn life_steps(place: &Place) -> Vec<Step> {
    let raw = path(place, "disk.raw");
    let data = [
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--file",
        &raw,
    ];
    let old = [
        "--name",
        "old",
        "--property",
        "going=1",
        "--property",
        "changing=1",
        "--tags",
        "going",
    ];
    let admin = |command: &str, number: u8, words: &[&str]| {
        step("admin", &[&[command, &id(number)], words].concat())
    };
    vec![
        create(
            "admin",
            20,
            &[&data, &["--name", "deactivated", "--visibility", "public"]],
        ),
        admin("image-deactivate", 20, &[]),
        create(
            "admin",
            21,
            &[&data, &["--name", "deactivated for a while"]],
        ),
        admin("image-deactivate", 21, &[]),
        admin("image-reactivate", 21, &[]),
        create(
            "admin",
            22,
            &[
                &data,
                &["--name", "deleted", "--property", "k=v", "--tags", "gone"],
            ],
        ),
        admin("image-delete", 22, &[]),
        create("admin", 23, &[&["--name", "deleted before it had data"]]),
        admin("image-delete", 23, &[]),
        create("admin", 24, &[&old]),
        admin(
            "image-update",
            24,
            &[
                "--name",
                "new",
                "--min-ram",
                "64",
                "--remove-property",
                "going",
            ],
        ),
        admin(
            "image-update",
            24,
            &[
                "--property",
                "changing=2",
                "--property",
                "coming=1",
                "--visibility",
                "community",
            ],
        ),
        admin("image-tag-delete", 24, &["going"]),
        admin("image-tag-update", 24, &["coming"]),
        admin(
            "image-update",
            24,
            &["--disk-format", "raw", "--container-format", "bare"],
        ),
        admin("image-upload", 24, &["--file", &raw]),
    ]
}

/// Every id that the tests use, and some that they do not.
pub fn ids() -> Vec<String> {
    [1..=6, 10..=18, 20..=25, 30..=31]
        .into_iter()
        .flatten()
        .map(id)
        .collect()
}
