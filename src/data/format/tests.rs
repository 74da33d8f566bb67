//! Rules for every format; the rules of each parser are tested by the hostile images.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::testing::{self, HostileImage, cut, hostile_images, sound_images, with};
use super::{Declared, Detected, Format, Inspector, Policy, Reason, Verdict, Weight};

/// Pushes an image in chunks whose sizes repeat.
fn inspect_in(image: &[u8], sizes: &[usize]) -> Verdict {
    let mut inspector = Inspector::new();
    let mut rest = image;
    for size in sizes.iter().cycle() {
        let (chunk, behind) = rest.split_at((*size).clamp(1, rest.len().max(1)).min(rest.len()));
        inspector.push(chunk);
        assert!(inspector.memory() <= Inspector::MAX_MEMORY);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    inspector.finish()
}

fn inspect(image: &[u8]) -> Verdict {
    inspect_in(image, &[65536])
}

fn bare(disk_format: &str) -> Declared<'_> {
    Declared {
        disk_format,
        container_format: "bare",
    }
}

fn refusal(disk_format: &str, image: &[u8]) -> (Reason, String, Option<u64>) {
    let refusal = Policy::default()
        .decide(bare(disk_format), &inspect(image))
        .unwrap_err();
    (refusal.reason, refusal.message, refusal.offset)
}

fn kept_size(disk_format: &str, image: &[u8]) -> Option<u64> {
    Policy::default()
        .decide(bare(disk_format), &inspect(image))
        .unwrap()
        .virtual_size
}

#[test]
fn sound_images_are_accepted_with_their_virtual_size() {
    for (name, image, declared, size) in sound_images() {
        let verdict = inspect(&image);
        assert_eq!(verdict.offences().next(), None, "{name}");
        let accepted = Policy::default().decide(bare(declared), &verdict);
        assert_eq!(accepted.unwrap().virtual_size, Some(size), "{name}");
    }
}

#[test]
fn hostile_images_are_refused_or_harmless() {
    let images = hostile_images();
    assert!(images.len() >= 64);
    for HostileImage {
        name,
        bytes,
        declared,
        is_refused,
    } in images
    {
        for sizes in [&[bytes.len().max(1)][..], &[65536], &[4096], &[511, 1, 3]] {
            let started = Instant::now();
            let verdict = inspect_in(&bytes, sizes);
            assert!(started.elapsed() < Duration::from_secs(2), "{name}");
            let decision = Policy::default().decide(bare(declared), &verdict);
            assert_eq!(decision.is_err(), is_refused, "{name}: {decision:?}");
        }
    }
}

#[test]
fn names_of_hostile_images_are_unique() {
    let mut names: Vec<_> = hostile_images().iter().map(|image| image.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_refusal_names_the_offence_and_its_offset() {
    let backed = with(testing::qcow2(3, 1), 8, &[0, 0, 0, 0, 0, 0, 2, 0]);
    let message = "Image failed safety checks: qcow2 names a backing file (offset 8)";
    assert_eq!(
        refusal("qcow2", &backed),
        (Reason::Unsafe, message.to_string(), Some(8))
    );
    let descriptor = testing::DESCRIPTOR.replace("disk.vmdk", "/etc/passwd");
    let at = 512 + descriptor.find("RW ").unwrap() as u64;
    let message =
        format!("Image failed safety checks: vmdk extent names a file by its path (offset {at})");
    let image = testing::vmdk(2048, &descriptor);
    assert_eq!(refusal("vmdk", &image), (Reason::Unsafe, message, Some(at)));
    let message = "Image format inspection failed: vhd is cut short in its header (offset 100)";
    let image = cut(testing::vhd_dynamic(1), 100);
    assert_eq!(
        refusal("vhd", &image),
        (Reason::Malformed, message.to_string(), Some(100))
    );
}

#[test]
fn a_mismatch_is_refused_in_the_words_of_the_real_one() {
    let (reason, message, offset) = refusal("iso", b"hello image\n");
    assert_eq!(reason, Reason::Mismatch);
    assert_eq!(
        message,
        "Image disk_format iso does not match stream data raw"
    );
    assert_eq!(offset, None);
    let (_, message, offset) = refusal("ami", &testing::mbr(8192));
    assert_eq!(
        message,
        "Image disk_format ami does not match stream data gpt"
    );
    assert_eq!(offset, Some(510));
    let (_, message, _) = refusal("raw", &with(testing::iso(3), 0, &testing::qed()));
    assert_eq!(message, "Multiple formats detected: qed,iso");
    let bootable = with(testing::iso(3), 0, &testing::mbr(512));
    assert_eq!(kept_size("iso", &bootable), Some(6144));
    let (_, message, _) = refusal("raw", &bootable);
    assert_eq!(message, "Multiple formats detected: iso,gpt");
}

#[test]
fn what_is_declared_raw_keeps_its_own_size() {
    assert_eq!(kept_size("raw", b"hello image\n"), Some(12));
    assert_eq!(kept_size("raw", &testing::qcow2(3, 1 << 40)), Some(1024));
    assert_eq!(kept_size("raw", &testing::iso(300)), Some(40 * 1024));
    assert_eq!(
        kept_size("raw", &testing::vhd_fixed(&[0; 4096])),
        Some(4608)
    );
    assert_eq!(kept_size("raw", b""), None);
}

#[test]
fn formats_that_data_cannot_show_keep_no_size() {
    for declared in ["ami", "ari", "aki", "ploop", "something"] {
        assert_eq!(kept_size(declared, b"hello image\n"), None);
    }
}

#[test]
fn a_parallels_image_may_be_called_ploop_or_raw_and_nothing_else() {
    let image = testing::ploop();
    assert_eq!(kept_size("ploop", &image), None);
    assert_eq!(kept_size("raw", &image), Some(image.len() as u64));
    for declared in ["qcow2", "ami", "vmdk"] {
        assert_eq!(refusal(declared, &image).0, Reason::Mismatch);
    }
}

#[test]
fn what_is_to_be_read_as_raw_may_be_a_partition_table_and_nothing_else() {
    let policy = Policy {
        is_raw_exact: true,
        ..Policy::default()
    };
    for (name, image, declared, _) in sound_images() {
        let decision = policy.decide(bare("raw"), &inspect(&image));
        // The beginning of a fixed VHD is its guest's data.
        let is_raw = declared == "raw" || name == "fixed vhd";
        assert_eq!(decision.is_ok(), is_raw, "{name}: {decision:?}");
        policy.decide(bare(declared), &inspect(&image)).unwrap();
    }
    assert!(
        policy
            .decide(bare("raw"), &inspect(&testing::ploop()))
            .is_err()
    );
}

/// Returns the format that `qemu-img` detects in a file: the name that it prints, or the one in its error.
fn probed(path: &std::path::Path) -> String {
    let mut command = std::process::Command::new("qemu-img");
    let output = command
        .args(["info", "--output=json"])
        .arg(path)
        .output()
        .unwrap();
    if !output.status.success() {
        return String::from_utf8_lossy(&output.stderr).into_owned();
    }
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    report["format"].as_str().unwrap().to_string()
}

/// Returns images that begin like those of some format, or nearly so.
fn nearly_images() -> Vec<Vec<u8>> {
    let mut images: Vec<Vec<u8>> = sound_images()
        .into_iter()
        .map(|(_, image, _, _)| image)
        .collect();
    images.extend([testing::qed(), testing::ploop(), testing::bochs()]);
    images.extend([testing::cloop(), testing::qcow2(1, 1 << 20)]);
    images.push(with(vec![0; 4096], 0, b"COWD"));
    images.push(with(testing::ploop(), 0, b"WithouFreSpacExt"));
    let magics: Vec<Vec<u8>> = images.clone();
    for image in magics {
        // Truncated, of another version, of another length.
        for length in [4, 8, 63, 64, 100, 511, 512] {
            images.push(cut(image.clone(), length));
        }
        for (at, byte) in [(0, b'x'), (4, 9), (7, 9), (16, 9), (32, b'r'), (0x40, 0)] {
            images.push(with(image.clone(), at, &[byte]));
        }
    }
    images
}

#[test]
fn what_qemu_img_takes_for_an_image_never_passes_as_raw() {
    let directory = tempfile::tempdir().unwrap();
    let mut images: Vec<Vec<u8>> = testing::text_descriptors("/nowhere/canary")
        .into_iter()
        .map(|(_, image)| image)
        .collect();
    images.extend(testing::nearly_descriptors());
    images.extend(nearly_images());
    let halves: Vec<&[Vec<u8>]> = images.chunks(images.len().div_ceil(2)).collect();
    let seen = std::thread::scope(|scope| {
        let check = |number: usize, half: &[Vec<u8>]| {
            let path = directory.path().join(number.to_string());
            let mut seen = 0;
            for image in half {
                std::fs::write(&path, image).unwrap();
                let probed = probed(&path);
                let is_raw = inspect(image).detected() == Detected::One(Format::Raw);
                let shown = image.escape_ascii().to_string();
                let shown = shown.get(..600).unwrap_or(&shown);
                assert!(probed == "raw" || !is_raw, "{probed}: {shown}");
                seen += usize::from(probed != "raw");
            }
            seen
        };
        let threads: Vec<_> = halves
            .into_iter()
            .enumerate()
            .map(|(number, half)| scope.spawn(move || check(number, half)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<usize>()
    });
    // The comparison is meaningful: many of them are images for qemu-img.
    assert!(seen > images.len() / 4, "{seen} of {}", images.len());
}

#[test]
fn containers_are_not_looked_at() {
    let declared = Declared {
        disk_format: "raw",
        container_format: "ovf",
    };
    let accepted = Policy::default().decide(declared, &inspect(&testing::qed()));
    assert_eq!(accepted.unwrap(), super::Acceptance::default());
}

#[test]
fn an_allowed_mismatch_must_still_be_safe() {
    let policies = [
        Policy {
            allow_mismatch: true,
            ..Policy::default()
        },
        Policy {
            require_image_format_match: false,
            ..Policy::default()
        },
    ];
    for policy in policies {
        let accepted = policy
            .decide(bare("vmdk"), &inspect(&testing::qcow2(3, 1)))
            .unwrap();
        assert_eq!(accepted.virtual_size, None);
        assert_eq!(accepted.warnings.len(), 1);
        let refused = policy
            .decide(bare("vmdk"), &inspect(&testing::qed()))
            .unwrap_err();
        assert_eq!(refused.reason, Reason::Unsafe);
        let broken = cut(testing::vhd_dynamic(1), 100);
        let accepted = policy.decide(bare("vhd"), &inspect(&broken)).unwrap();
        assert_eq!(accepted.virtual_size, None);
    }
}

#[test]
fn failures_of_partition_tables_can_be_forgiven() {
    let invalid = with(testing::mbr(8192), 446, &[0x42]);
    let verdict = inspect(&invalid);
    let mut policy = Policy::default();
    assert!(policy.decide(bare("raw"), &verdict).is_err());
    policy.gpt_safety_checks_nonfatal = vec!["mbr".to_string()];
    let accepted = policy.decide(bare("raw"), &verdict).unwrap();
    assert_eq!(accepted.virtual_size, Some(8192));
    let lenient = Policy {
        allow_mismatch: true,
        ..Policy::default()
    };
    assert!(lenient.decide(bare("aki"), &verdict).is_ok());
    assert!(lenient.decide(bare("ami"), &verdict).is_err());
}

#[test]
fn a_refusal_comes_early_where_nothing_can_take_it_back() {
    let policy = Policy::default();
    let after = |declared, image: &[u8]| {
        let mut inspector = Inspector::new();
        inspector.push(image);
        policy.refuse_early(bare(declared), &inspector)
    };
    let zeros = vec![0; 65536];
    assert_eq!(after("qcow2", &zeros[..34815]), None);
    assert_eq!(
        after("qcow2", &zeros).unwrap().message,
        "Image disk_format qcow2 does not match stream data raw"
    );
    assert_eq!(after("raw", &zeros), None);
    assert_eq!(after("vhd", &zeros), None, "a footer may follow");
    assert_eq!(after("vhdx", &cut(testing::vhdx(1), 100_000)), None);
    let early = after("vhd", &with(zeros.clone(), 0, b"QED\0")).unwrap();
    assert_eq!(early.reason, Reason::Mismatch);
}

#[test]
fn holes_are_as_good_as_zeros() {
    let image = testing::vhdx(1 << 30);
    let head = image.len() - 200_000;
    let (front, back) = image.split_at(head);
    for hole in [0, 1, 1535, 1536, 5000, 3_000_000] {
        let mut dense = Inspector::new();
        dense.push(front);
        dense.push(&vec![0; hole]);
        dense.push(back);
        let mut sparse = Inspector::new();
        sparse.push(front);
        sparse.push_zeros(hole as u64);
        sparse.push(back);
        assert_eq!(dense.finish(), sparse.finish());
    }
    let mut inspector = Inspector::new();
    inspector.push(&with(
        cut(testing::vhdx(1), 300_000),
        192 * 1024 + 64,
        &(1_u64 << 61).to_le_bytes(),
    ));
    inspector.push_zeros(1 << 60);
    inspector.push_zeros(1 << 62);
    let verdict = inspector.finish();
    assert_eq!(verdict.size, 300_000 + (1 << 60) + (1 << 62));
    assert_eq!(
        verdict.offences().next().map(|offence| offence.offset),
        Some(1 << 61)
    );
}

#[test]
fn every_format_has_a_name_of_its_own() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    assert_eq!(Format::from_name("ami"), None);
}

#[test]
fn a_size_of_two_to_the_63_is_refused_and_one_less_is_not() {
    let most = i64::MAX.unsigned_abs();
    assert_eq!(kept_size("qcow2", &testing::qcow2(3, most)), Some(most));
    let verdict = inspect(&testing::qcow2(3, most + 1));
    let offence = verdict.offences().next().cloned().unwrap();
    assert_eq!((offence.weight, offence.offset), (Weight::Malformed, 24));
}

fn any_image() -> impl Strategy<Value = Vec<u8>> {
    let images: Vec<Vec<u8>> = sound_images()
        .into_iter()
        .map(|(_, image, _, _)| image)
        .collect();
    prop::sample::select(images)
}

/// Returns offsets of header fields, and any other offset.
fn any_place() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0_usize..600,
        2 => 512_usize..1024,
        1 => 32768_usize..32900,
        1 => 196_608_usize..196_700,
        1 => 1_048_576_usize..1_048_700,
        1 => 0_usize..1_200_000,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn results_do_not_depend_on_chunks(
        image in any_image(),
        changes in prop::collection::vec((any_place(), any::<u8>()), 0..4),
        sizes in prop::collection::vec(1_usize..70_000, 1..5),
    ) {
        let mut image = image;
        for (place, byte) in changes {
            if let Some(at) = image.get_mut(place) {
                *at = byte;
            }
        }
        prop_assert_eq!(inspect_in(&image, &sizes), inspect(&image));
    }

    #[test]
    fn small_chunks_are_as_good(
        image in any_image(),
        length in 1_usize..3000,
        size in 1_usize..40,
    ) {
        let image = cut(image, length);
        prop_assert_eq!(inspect_in(&image, &[size]), inspect(&image));
    }

    #[test]
    fn any_bytes_are_inspected(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let verdict = inspect(&bytes);
        prop_assert_eq!(verdict.size, bytes.len() as u64);
    }

    #[test]
    fn mangled_images_are_inspected(
        image in any_image(),
        changes in prop::collection::vec(
            (any_place(), prop::collection::vec(any::<u8>(), 1..9)),
            0..12,
        ),
        length in prop::option::of(0_usize..1_200_000),
        declared in prop::sample::select(vec!["raw", "qcow2", "vhd", "vhdx", "vmdk", "vdi", "iso", "luks", "ami"]),
    ) {
        let mut image = image;
        for (place, bytes) in changes {
            if place + bytes.len() <= image.len() {
                image = with(image, place, &bytes);
            }
        }
        let image = cut(image, length.unwrap_or(usize::MAX));
        let started = Instant::now();
        let verdict = inspect(&image);
        prop_assert!(started.elapsed() < Duration::from_secs(2));
        let size = verdict.virtual_size();
        prop_assert!(size.is_none_or(|size| size > 0 && i64::try_from(size).is_ok()));
        let decision = Policy::default().decide(bare(declared), &verdict);
        if let Ok(accepted) = decision {
            let is_known = matches!(verdict.detected(), Detected::One(_));
            prop_assert!(is_known);
            prop_assert!(accepted.warnings.len() <= 1);
        }
    }

    #[test]
    fn an_early_refusal_is_never_taken_back(
        image in any_image(),
        seen in 0_usize..1_200_000,
        declared in prop::sample::select(vec!["raw", "qcow2", "vhd", "vhdx", "vmdk", "vdi", "iso", "luks", "ami"]),
    ) {
        let mut inspector = Inspector::new();
        let (front, back) = image.split_at(seen.min(image.len()));
        inspector.push(front);
        let early = Policy::default().refuse_early(bare(declared), &inspector);
        inspector.push(back);
        let late = Policy::default().decide(bare(declared), &inspector.finish());
        if early.is_some() {
            prop_assert!(late.is_err());
        }
    }
}
