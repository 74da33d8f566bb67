//! Decompression of valid data, refusals, and errors that are not in the data.

use std::io::Cursor;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

fn cap() -> Cap {
    Cap {
        bytes: 1 << 24,
        option: "a test",
    }
}

/// Returns the decompressed content of `bytes`.
fn decode(wrapping: Wrapping, source: impl Read + Seek) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    wrapping.decode(source, Path::new("staged"), &Watch::default(), |block| {
        content.extend_from_slice(block);
        Ok(())
    })?;
    Ok(content)
}

fn decode_bytes(wrapping: Wrapping, bytes: &[u8]) -> Result<Vec<u8>> {
    decode(wrapping, Cursor::new(bytes.to_vec()))
}

/// Returns data that compresses to a third.
fn content() -> Vec<u8> {
    (0..200_000_u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_le_bytes())
        .collect()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Creates archives with Python's `zipfile`: `words` are the statements on `z`.
fn zip_by_python(words: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.zip");
    let data = directory.path().join("data");
    std::fs::write(&data, content()).unwrap();
    let script = format!(
        "import sys, zipfile\ndata = open(sys.argv[2], 'rb').read()\n\
         z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n{words}\nz.close()\n"
    );
    let done = Command::new("python3")
        .args(["-c", &script])
        .args([&path, &data])
        .status();
    assert!(done.unwrap().success());
    std::fs::read(path).unwrap()
}

/// Returns an LHA archive of level 0 with one stored file.
pub fn lha(content: &[u8]) -> Vec<u8> {
    let mut crc = 0_u16;
    for byte in content {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                crc >> 1 ^ 0xa001
            };
        }
    }
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let mut rest = b"-lh0-".to_vec();
    rest.extend(size);
    rest.extend(size);
    rest.extend([0, 0, 0x21, 0x50, 0x20, 0, 1, b'x']);
    rest.extend(crc.to_le_bytes());
    let sum = rest.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let length = u8::try_from(rest.len()).unwrap();
    [&[length, sum], &rest[..], content, &[0]].concat()
}

#[test]
fn a_gzip_gives_its_members_and_may_be_padded_with_zeros() {
    let one = gzip(b"one");
    let two = gzip(b"two");
    for (name, bytes) in [
        ("plain", [&one[..], &two].concat()),
        ("zeros behind", [&one[..], &two, &vec![0; 100_000]].concat()),
        ("zeros between", [&one[..], &[0; 7], &two].concat()),
        ("empty member", [&one[..], &gzip(b""), &two, &[0]].concat()),
    ] {
        let content = decode_bytes(Wrapping::Gzip, &bytes).unwrap();
        assert_eq!(content, b"onetwo", "{name}");
    }
    // As in Python's gzip; the program only warns.
    for tail in [&b"garbage"[..], b"\0\0garbage", b"\x1f", &one[..10]] {
        let error = decode_bytes(Wrapping::Gzip, &[&one[..], tail].concat()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{tail:?}");
    }
    let content = content();
    let long = gzip(&content);
    assert_eq!(decode_bytes(Wrapping::Gzip, &long).unwrap(), content);
    for end in [5, 10, 1000, long.len() - 8, long.len() - 1] {
        let error = decode_bytes(Wrapping::Gzip, &long[..end]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{end}");
    }
}

#[test]
fn a_zip_gives_its_one_file() {
    for (name, words) in [
        ("deflated", "z.writestr('disk.img', data)"),
        ("stored", "z.writestr('disk.img', data, zipfile.ZIP_STORED)"),
        ("in a folder", "z.writestr('a/b/../disk.img', data)"),
        (
            "of 64 bits",
            "f = z.open('disk.img', 'w', force_zip64=True); f.write(data); f.close()",
        ),
        (
            "with a comment",
            "z.writestr('disk.img', data); z.comment = b'PK' * 900",
        ),
    ] {
        let archive = zip_by_python(words);
        assert!(
            decode_bytes(Wrapping::Zip, &archive).unwrap() == content(),
            "{name}"
        );
        // Data before the archive is skipped, as in Python.
        let prefixed = [&[7; 100], &archive[..]].concat();
        assert!(
            decode_bytes(Wrapping::Zip, &prefixed).unwrap() == content(),
            "{name}"
        );
    }
}

#[test]
fn a_zip_of_anything_but_one_file_is_refused() {
    for (name, words) in [
        ("nothing", "pass"),
        ("two files", "z.writestr('a', b'a'); z.writestr('b', b'b')"),
        ("a folder", "z.writestr('a/', b'')"),
        ("another method", "z.writestr('a', data, zipfile.ZIP_BZIP2)"),
    ] {
        let error = decode_bytes(Wrapping::Zip, &zip_by_python(words)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{name}");
    }
    let archive = zip_by_python("z.writestr('disk.img', data)");
    let end = archive.len() - 22;
    let directory = archive
        .windows(4)
        .rposition(|w| w == b"PK\x01\x02")
        .unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut copy = archive.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    for (name, bytes) in [
        ("another count", changed(end + 10, &[2])),
        ("no entries", changed(end + 10, &[0])),
        ("another size of the directory", changed(end + 12, &[1])),
        ("a directory beyond the end", changed(end + 12, &[0xff; 8])),
        ("no directory", changed(directory, b"xxxx")),
        ("encryption", changed(directory + 8, &[1])),
        ("recorded checksum", changed(directory + 16, &[1, 2, 3, 4])),
        (
            "a larger size",
            changed(directory + 24, &[0xff, 0xff, 0xff, 0]),
        ),
        ("a smaller size", changed(directory + 24, &[9, 0, 0, 0])),
        (
            "data beyond the end",
            changed(directory + 20, &[0xff, 0xff, 0xff, 0x7f]),
        ),
        ("a header elsewhere", changed(directory + 42, &[9])),
        (
            "a size that is left out",
            changed(directory + 24, &[0xff; 4]),
        ),
        ("another name", changed(30, b"x")),
        ("another offset", changed(end + 16, &[0, 0, 0, 0])),
    ] {
        let error = decode_bytes(Wrapping::Zip, &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{name}");
    }
    for length in [4, 22, 100, archive.len() - 1] {
        let error = decode_bytes(Wrapping::Zip, &archive[..length]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{length}");
    }
}

/// A reader that counts, because data that is read may be held in memory.
struct Counting<'a> {
    source: Cursor<&'a [u8]>,
    count: Rc<Cell<u64>>,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

#[test]
fn a_zip_of_many_files_is_refused_by_its_end_alone() {
    let words = "for n in range(70000): z.writestr(str(n), b'')";
    let archive = zip_by_python(words);
    assert!(archive.len() > 5_000_000);
    let end = archive.len() - 22;
    let mut one = archive.clone();
    // The end record has one entry, but the directory has the same length as before.
    one[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
    one[end - 76 + 24..end - 76 + 40]
        .copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let lha = [&[4, 0][..], b"-lh5-", &[0; 13], &[3], &vec![0xff; 500_000]].concat();
    for (name, wrapping, bytes) in [
        ("many files", Wrapping::Zip, &archive),
        ("many files as one", Wrapping::Zip, &one),
        ("an endless header", Wrapping::Lha, &lha),
    ] {
        let count = Rc::new(Cell::new(0));
        let source = Counting {
            source: Cursor::new(bytes),
            count: Rc::clone(&count),
        };
        let error = decode(wrapping, source).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{name}");
        assert!(count.get() < 400_000, "{name}: {}", count.get());
    }
}

#[test]
fn an_lha_gives_its_one_file() {
    let content = content();
    assert_eq!(
        decode_bytes(Wrapping::Lha, &lha(&content)).unwrap(),
        content
    );
    let one = lha(b"one");
    let two = [&one[..one.len() - 1], &one].concat();
    let error = decode_bytes(Wrapping::Lha, &two).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedMedia);
}

/// A file whose reads fail after `left` bytes.
struct Failing {
    source: Cursor<Vec<u8>>,
    left: usize,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::from_raw_os_error(5));
        }
        let most = buffer.len().min(self.left);
        let count = self.source.read(&mut buffer[..most])?;
        self.left -= count;
        Ok(count)
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

#[test]
fn an_error_of_the_file_is_never_a_verdict_on_its_bytes() {
    let archives = [
        (
            Wrapping::Gzip,
            [gzip(&content()), gzip(b"x"), vec![0; 99]].concat(),
        ),
        (Wrapping::Zip, zip_by_python("z.writestr('disk.img', data)")),
        (Wrapping::Lha, lha(&content())),
    ];
    for (wrapping, bytes) in archives {
        assert!(decode_bytes(wrapping, &bytes).is_ok());
        let steps = 97;
        for step in 0..steps {
            let source = Failing {
                source: Cursor::new(bytes.clone()),
                left: bytes.len() * step / steps,
            };
            let error = decode(wrapping, source).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::Io,
                "{wrapping:?}, step {step}: {error}"
            );
            let said = "cannot read staged: Input/output error";
            assert_eq!(error.message(), said);
        }
        // Neither is an error of the target.
        let full = || Error::io("write", "target", io::Error::from_raw_os_error(28));
        let error = wrapping
            .decode(
                Cursor::new(bytes.clone()),
                Path::new("staged"),
                &Watch::default(),
                |_| Err(full()),
            )
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}

#[test]
fn what_is_unwrapped_is_bounded_and_never_goes_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("a"), directory.path().join("a.uc"));
    let other = directory.path().join("other");
    std::fs::write(&other, "mine").unwrap();
    std::os::unix::fs::symlink(&other, &to).unwrap();
    std::fs::write(&from, gzip(&vec![0; 1 << 20])).unwrap();
    let small = Cap {
        bytes: 100_000,
        ..cap()
    };
    let watch = Watch::default();
    let error = Wrapping::Gzip
        .unwrap(&from, &to, small, &watch)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(std::fs::metadata(&to).unwrap().len() <= 100_000);
    Wrapping::Gzip.unwrap(&from, &to, cap(), &watch).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().len(), 1 << 20);
    assert_eq!(std::fs::read(&other).unwrap(), b"mine");
    // A staged file must be a plain file, too.
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&from, &link).unwrap();
    assert_eq!(Wrapping::of(&link).unwrap_err().kind(), ErrorKind::Io);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_decoded_or_refused(
        which in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        length in any::<prop::sample::Index>(),
    ) {
        let stored = [gzip(b"some content"), zip_of(b"some content"), lha(b"some content")];
        let wrapping = [Wrapping::Gzip, Wrapping::Zip, Wrapping::Lha][which];
        let mut bytes = stored[which].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - length.index(bytes.len()) / 4);
        if let Err(error) = decode_bytes(wrapping, &bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::UnsupportedMedia);
        }
    }
}

/// Returns a zip archive with one stored file.
pub fn zip_of(content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &crc.sum().to_le_bytes(),
        &size,
        &size,
        &[1, 0, 0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", &common[..], b"x", content].concat();
    let entry = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], b"x"].concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
    end.extend(u32::try_from(local.len()).unwrap().to_le_bytes());
    end.extend([0, 0]);
    [local, entry, end].concat()
}
