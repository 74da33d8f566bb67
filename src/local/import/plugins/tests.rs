//! Hostile images through all plugins, with all declared formats and containers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::runtime::Runtime;

use super::wrapping::tests::{gzip, lha, zip_of};
use super::*;
use crate::ErrorKind;
use crate::data::format::testing::{
    DESCRIPTOR, hostile_images, put, qcow2, text_descriptors, vhd_fixed, vmdk, with,
};
use crate::data::format::{Detected, Format, Inspector};
use crate::model::Timestamp;

const CANARY: &[u8] = b"canary: must not be read";
const DISK: [&str; 12] = [
    "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "luks",
];
const CONTAINERS: [&str; 8] = [
    "ami",
    "ari",
    "aki",
    "bare",
    "ovf",
    "ova",
    "docker",
    "compressed",
];

/// The disk formats that the plugins treat differently.
const SOME_DISK: [&str; 6] = ["raw", "qcow2", "vmdk", "vhd", "iso", "ploop"];

fn formats() -> Formats {
    let text = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Formats {
        disk: text(&DISK),
        container: text(&CONTAINERS),
        // Mismatches that are accepted in uploads are not accepted here.
        require_match: false,
        gpt_checks_nonfatal: Vec::new(),
        vmdk_types: text(&["monolithicSparse", "streamOptimized"]),
    }
}

/// A hostile image.
struct Offence {
    name: String,
    bytes: Vec<u8>,
    /// Whether it refers to a file of the host.
    reaches: bool,
}

/// Returns a QCOW2 image of version 3 that `qemu-img` can open: header, refcounts, an empty map.
fn whole_qcow2() -> Vec<u8> {
    let mut image = qcow2(3, 1 << 20);
    put(&mut image, 36, &1_u32.to_be_bytes());
    put(&mut image, 40, &(3_u64 << 16).to_be_bytes());
    put(&mut image, 48, &(1_u64 << 16).to_be_bytes());
    put(&mut image, 56, &1_u32.to_be_bytes());
    put(&mut image, 96, &4_u32.to_be_bytes());
    put(&mut image, 100, &104_u32.to_be_bytes());
    put(&mut image, 1 << 16, &(2_u64 << 16).to_be_bytes());
    put(&mut image, 2 << 16, &[0, 1, 0, 1, 0, 1, 0, 1]);
    put(&mut image, (4 << 16) - 1, &[0]);
    image
}

/// Returns a header extension of a QCOW2 image.
fn extension(kind: u32, content: &str) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Returns images that refer to the file at `path` in all possible ways.
fn reaching(path: &str) -> Vec<Offence> {
    let mut found = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| {
        found.push(Offence {
            name: name.to_string(),
            bytes,
            reaches: true,
        });
    };
    let data_file = |autoclear: u8| {
        let image = with(with(whole_qcow2(), 79, &[4]), 95, &[autoclear]);
        with(image, 104, &extension(0x4441_5441, path))
    };
    add("qcow2: data file", data_file(0));
    add("qcow2: raw data file", data_file(2));
    for (name, backing) in [
        ("qcow2: backing file", path.to_string()),
        (
            "qcow2: backing file as JSON",
            format!(
                "json:{{\"driver\":\"raw\",\"file\":{{\"driver\":\"file\",\"filename\":\"{path}\"}}}}"
            ),
        ),
        ("qcow2: backing file by protocol", format!("file:{path}")),
    ] {
        let image = with(whole_qcow2(), 8, &512_u64.to_be_bytes());
        let length = u32::try_from(backing.len()).unwrap();
        let image = with(image, 16, &length.to_be_bytes());
        let image = with(image, 104, &extension(0xe279_2aca, "raw"));
        add(name, with(image, 512, backing.as_bytes()));
    }
    let two = with(
        with(whole_qcow2(), 4, &2_u32.to_be_bytes()),
        8,
        &512_u64.to_be_bytes(),
    );
    let length = u32::try_from(path.len()).unwrap();
    let two = with(with(two, 16, &length.to_be_bytes()), 512, path.as_bytes());
    add("qcow2: backing file of version 2", two);
    for (name, bytes) in text_descriptors(path) {
        add(name, bytes);
    }
    let extent = "SPARSE \"disk.vmdk\"";
    for (name, replacement) in [
        ("vmdk: flat extent", format!("FLAT \"{path}\" 0")),
        ("vmdk: sparse extent", format!("SPARSE \"{path}\"")),
        ("vmdk: VMFS extent", format!("VMFS \"{path}\"")),
        ("vmdk: device", format!("VMFSRDM \"{path}\"")),
    ] {
        let descriptor = DESCRIPTOR.replace(extent, &replacement);
        add(name, vmdk(2048, &descriptor));
        let flat = descriptor.replace("monolithicSparse", "monolithicFlat");
        add(&format!("{name}, of flat type"), vmdk(2048, &flat));
        add(&format!("{name}, without capacity"), vmdk(0, &flat));
    }
    let parent = format!("{DESCRIPTOR}parentFileNameHint=\"{path}\"\n");
    add("vmdk: parent", vmdk(2048, &parent));
    // Hidden in data with the signature of another disk format.
    add("vhd: fixed, around a descriptor", {
        let (_, descriptor) = text_descriptors(path).swap_remove(0);
        vhd_fixed(&with(descriptor, 4095, &[0]))
    });
    found
}

fn offences(path: &str) -> Vec<Offence> {
    let known = hostile_images().into_iter().map(|image| Offence {
        name: image.name.to_string(),
        bytes: image.bytes,
        reaches: false,
    });
    let mut all = reaching(path);
    all.extend(known);
    all
}

/// A path through the plugins.
struct Way {
    name: &'static str,
    plugins: Vec<Plugin>,
    wrap: fn(&[u8]) -> Vec<u8>,
}

fn ways() -> Vec<Way> {
    let convert = |to: &str| Plugin::Convert(to.to_string());
    let way = |name, plugins, wrap| Way {
        name,
        plugins,
        wrap,
    };
    vec![
        way("to raw", vec![convert("raw")], <[u8]>::to_vec),
        way("to qcow2", vec![convert("qcow2")], <[u8]>::to_vec),
        way("to vmdk", vec![convert("vmdk")], <[u8]>::to_vec),
        way(
            "out of a gzip, to qcow2",
            vec![Plugin::Decompress, convert("qcow2")],
            gzip,
        ),
        way(
            "out of a zip, to raw",
            vec![Plugin::Decompress, convert("raw")],
            zip_of,
        ),
        way(
            "out of an LHA, to vmdk",
            vec![Plugin::Decompress, convert("vmdk")],
            lha,
        ),
        way(
            "to qcow2 and to raw",
            vec![convert("qcow2"), convert("raw")],
            <[u8]>::to_vec,
        ),
    ]
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn work(staged: &Path, disk: &str, container: &str, plugins: &[Plugin]) -> Result<PathBuf> {
    work_on(&runtime(), staged, disk, container, plugins)
}

fn work_on(
    runtime: &Runtime,
    staged: &Path,
    disk: &str,
    container: &str,
    plugins: &[Plugin],
) -> Result<PathBuf> {
    let caller = Caller::parse("admin:admin:admin").unwrap();
    let mut image = Image::queued("x".to_string(), Timestamp::now());
    image.disk_format = Some(disk.to_string());
    image.container_format = Some(container.to_string());
    let mut path = staged.to_path_buf();
    let plugin_run = PluginRun {
        path: &mut path,
        image: &mut image,
        caller: &caller,
        formats: &formats(),
        cap: Cap {
            bytes: 1 << 26,
            option: "a test",
        },
    };
    runtime.block_on(plugin_run.run(plugins, &Watch::default()))?;
    Ok(path)
}

/// Returns whether `qemu-img` may read data as `disk`: it has exactly that format, and is safe.
fn is_sound(bytes: &[u8], disk: &str) -> bool {
    let mut inspector = Inspector::new();
    inspector.push(bytes);
    let verdict = inspector.finish();
    let is_it = match verdict.detected() {
        Detected::One(Format::Raw | Format::Gpt) => disk == "raw",
        Detected::One(format) => format.name() == disk,
        Detected::Several(_) => false,
    };
    let is_fixed = disk == "vhd" && verdict.fixed_vhd.is_some();
    is_fixed || is_it && verdict.offences().next().is_none()
}

/// The outcomes of images.
#[derive(Default)]
struct Totals {
    paths: usize,
    refused: usize,
}

/// Returns the declared formats and the containers for an image: all if it refers to a file of the host, else those
/// that are treated differently.
fn paths(offence: &Offence) -> (&'static [&'static str], &'static [&'static str]) {
    if offence.reaches {
        (&DISK, &CONTAINERS)
    } else if offence.bytes.len() < 100_000 {
        (&SOME_DISK, &["bare", "ovf", "compressed"])
    } else {
        (&SOME_DISK, &["ova"])
    }
}

/// Sends an image through a path.
fn walk(runtime: &Runtime, staged: &Path, offence: &Offence, way: &Way, totals: &mut Totals) {
    let wrapped = (way.wrap)(&offence.bytes);
    std::fs::write(staged, &wrapped).unwrap();
    let (disks, containers) = paths(offence);
    for disk in disks {
        let mut was_accepted = false;
        for container in containers {
            // Compressed data in a `compressed` container is not decompressed.
            let is_packed = *container == "compressed" && wrapped != offence.bytes;
            let bytes = if is_packed { &wrapped } else { &offence.bytes };
            totals.paths += 1;
            if was_accepted && !is_packed {
                // A conversion does not depend on the container, and is slow.
                continue;
            }
            let case = format!("{}, {disk} in {container}, {}", offence.name, way.name);
            match work_on(runtime, staged, disk, container, &way.plugins) {
                Err(error) => {
                    let is_verdict = error.kind() == ErrorKind::UnsupportedMedia;
                    assert!(is_verdict, "{case}: {error}");
                    totals.refused += 1;
                }
                Ok(path) => {
                    assert!(!offence.reaches || is_packed, "{case} was accepted");
                    assert!(is_sound(bytes, disk), "{case} was accepted");
                    let made = std::fs::read(path).unwrap();
                    let leak = made.windows(CANARY.len()).any(|window| window == CANARY);
                    assert!(!leak, "{case} holds the canary");
                    was_accepted |= !is_packed;
                }
            }
            let left = std::fs::metadata(staged).unwrap().len();
            assert_eq!(left, wrapped.len() as u64, "{case}");
        }
    }
}

#[test]
fn hostile_images_are_refused_or_harmless_on_every_way_to_qemu_img() {
    let began = Instant::now();
    let top = tempfile::tempdir().unwrap();
    let canary = top.path().join("canary");
    let mut content = CANARY.to_vec();
    content.resize(1 << 20, b'.');
    std::fs::write(&canary, content).unwrap();
    let offences = offences(&canary.display().to_string());
    let ways = ways();
    let next = AtomicUsize::new(0);
    let walk_some = |number: usize| {
        let directory = top.path().join(number.to_string());
        std::fs::create_dir(&directory).unwrap();
        let staged = directory.join("staged");
        let runtime = runtime();
        let mut totals = Totals::default();
        while let Some(offence) = offences.get(next.fetch_add(1, Ordering::Relaxed)) {
            for way in &ways {
                walk(&runtime, &staged, offence, way, &mut totals);
            }
        }
        totals
    };
    let totals = std::thread::scope(|scope| {
        let walk_some = &walk_some;
        let threads: Vec<_> = (0..2)
            .map(|number| scope.spawn(move || walk_some(number)))
            .collect();
        let all = threads.into_iter().map(|thread| thread.join().unwrap());
        all.fold(Totals::default(), |sum, one| Totals {
            paths: sum.paths + one.paths,
            refused: sum.refused + one.refused,
        })
    });
    let reaching = offences.iter().filter(|offence| offence.reaches).count();
    eprintln!(
        "{} offences ({reaching} name a file of the host) on {} paths: {} refused, the others harmless; {} s",
        offences.len(),
        totals.paths,
        totals.refused,
        began.elapsed().as_secs()
    );
    // An image that refers to a file is harmless only in compressed data that is not decompressed.
    assert!(reaching >= 45, "{reaching}");
    assert!(totals.paths > 30_000, "{}", totals.paths);
    assert!(totals.refused * 10 > totals.paths * 9, "{}", totals.refused);
}

#[test]
fn an_image_within_a_raw_disk_does_not_come_out_as_raw() {
    let top = tempfile::tempdir().unwrap();
    let staged = top.path().join("staged");
    for inner in ["qcow2", "vmdk", "vdi", "vhdx", "parallels"] {
        let image = top.path().join("inner");
        let outer = [
            vec!["create", "-q", "-f", inner, image.to_str().unwrap(), "4M"],
            vec![
                "convert",
                "-f",
                "raw",
                "-O",
                "qcow2",
                image.to_str().unwrap(),
                staged.to_str().unwrap(),
            ],
        ];
        for words in outer {
            let done = std::process::Command::new("qemu-img").args(words).status();
            assert!(done.unwrap().success());
        }
        let plugins = [Plugin::Convert("raw".to_string())];
        let error = work(&staged, "qcow2", "bare", &plugins).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::UnsupportedMedia,
            "{inner}: {error}"
        );
    }
}

#[test]
fn a_sound_image_is_converted_in_any_container() {
    let top = tempfile::tempdir().unwrap();
    let staged = top.path().join("staged");
    std::fs::write(&staged, whole_qcow2()).unwrap();
    for container in ["bare", "ovf", "ova", "docker"] {
        let plugins = [Plugin::Convert("raw".to_string())];
        let path = work(&staged, "qcow2", container, &plugins).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().len(), 1 << 20);
    }
    let plugins = [Plugin::Convert("qcow2".to_string())];
    assert_eq!(work(&staged, "qcow2", "ovf", &plugins).unwrap(), staged);
}
