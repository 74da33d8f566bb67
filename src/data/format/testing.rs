//! Images made by code: valid ones of every format, and hostile ones.
//!
//! Needs only the standard library, so that the integration tests can include it by its path. The valid
//! ones contain what an inspector reads and little else; no guest would boot from them.

/// Overwrites bytes at `at`, and extends the image with zeros if it is too short.
pub(crate) fn put(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[at..end].copy_from_slice(bytes);
}

/// Returns the image with bytes at `at` overwritten.
pub(crate) fn with(mut image: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    put(&mut image, at, bytes);
    image
}

/// Returns the first `length` bytes of the image.
pub(crate) fn cut(mut image: Vec<u8>, length: usize) -> Vec<u8> {
    image.truncate(length);
    image
}

/// Returns a QCOW2 image of version 2 or 3 with a disk of `size` bytes.
pub(crate) fn qcow2(version: u32, size: u64) -> Vec<u8> {
    let mut image = vec![0; 1024];
    put(&mut image, 0, b"QFI\xfb");
    put(&mut image, 4, &version.to_be_bytes());
    put(&mut image, 20, &16_u32.to_be_bytes());
    put(&mut image, 24, &size.to_be_bytes());
    if version == 3 {
        put(&mut image, 100, &112_u32.to_be_bytes());
    }
    image
}

/// Returns a QED image.
pub(crate) fn qed() -> Vec<u8> {
    with(vec![0; 1024], 0, b"QED\0")
}

/// Returns a Parallels image, called ploop by Virtuozzo, with an empty disk of 1 MiB.
pub(crate) fn ploop() -> Vec<u8> {
    let mut image = vec![0; 1 << 20];
    put(&mut image, 0, b"WithoutFreeSpace");
    put(&mut image, 16, &2_u32.to_le_bytes());
    put(&mut image, 20, &16_u32.to_le_bytes());
    put(&mut image, 24, &2_u32.to_le_bytes());
    put(&mut image, 28, &2048_u32.to_le_bytes());
    put(&mut image, 32, &1_u32.to_le_bytes());
    put(&mut image, 36, &2048_u64.to_le_bytes());
    image
}

/// Returns a growing disk of Bochs.
pub(crate) fn bochs() -> Vec<u8> {
    let mut image = vec![0; 4096];
    put(&mut image, 0, b"Bochs Virtual HD Image");
    put(&mut image, 32, b"Redolog");
    put(&mut image, 48, b"Growing");
    put(&mut image, 64, &0x0002_0000_u32.to_le_bytes());
    put(&mut image, 68, &512_u32.to_le_bytes());
    put(&mut image, 72, &1_u32.to_le_bytes());
    put(&mut image, 76, &1_u32.to_le_bytes());
    put(&mut image, 80, &65536_u32.to_le_bytes());
    put(&mut image, 88, &65536_u64.to_le_bytes());
    image
}

/// Returns a compressed loop device.
pub(crate) fn cloop() -> Vec<u8> {
    let mut image = vec![0; 4096];
    let script =
        b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";
    put(&mut image, 0, script);
    put(&mut image, 128, &512_u32.to_be_bytes());
    image
}

/// Returns a VHD footer; type 2 is fixed, 3 dynamic, 4 differencing.
pub(crate) fn vhd_footer(kind: u32, size: u64) -> Vec<u8> {
    let mut footer = vec![0; 512];
    put(&mut footer, 0, b"conectix");
    put(&mut footer, 8, &2_u32.to_be_bytes());
    put(&mut footer, 12, &0x0001_0000_u32.to_be_bytes());
    put(&mut footer, 16, &u64::MAX.to_be_bytes());
    put(&mut footer, 40, &size.to_be_bytes());
    put(&mut footer, 48, &size.to_be_bytes());
    put(&mut footer, 60, &kind.to_be_bytes());
    let sum: u32 = footer.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut footer, 64, &(!sum).to_be_bytes());
    footer
}

/// Returns a dynamic VHD with a disk of `size` bytes: the footer at the beginning and at the end.
pub(crate) fn vhd_dynamic(size: u64) -> Vec<u8> {
    let footer = vhd_footer(3, size);
    [footer.clone(), vec![0; 2048], footer].concat()
}

/// Returns a fixed VHD around a guest's data.
pub(crate) fn vhd_fixed(guest: &[u8]) -> Vec<u8> {
    [guest.to_vec(), vhd_footer(2, guest.len() as u64)].concat()
}

/// The offset of the metadata region of a VHDX, in bytes.
pub(crate) const VHDX_METADATA: usize = 1024 * 1024;

/// Returns a GUID in its stored form.
pub(crate) fn guid(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap_or_default();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
        .into_iter()
        .map(byte)
        .collect()
}

/// Returns a VHDX with a disk of `size` bytes.
pub(crate) fn vhdx(size: u64) -> Vec<u8> {
    let mut image = vec![0; VHDX_METADATA + 128 * 1024];
    put(&mut image, 0, b"vhdxfile");
    let table = 192 * 1024;
    put(&mut image, table, b"regi");
    put(&mut image, table + 8, &2_u32.to_le_bytes());
    let entry = table + 16;
    put(
        &mut image,
        entry,
        &guid("2DC27766-F623-4200-9D64-115E9BFD4A08"),
    );
    put(&mut image, entry + 16, &(3_u64 << 20).to_le_bytes());
    put(&mut image, entry + 28, &1_u32.to_le_bytes());
    let entry = entry + 32;
    put(
        &mut image,
        entry,
        &guid("8B7CA206-4790-4B9A-B8FE-575F050F886E"),
    );
    put(
        &mut image,
        entry + 16,
        &(VHDX_METADATA as u64).to_le_bytes(),
    );
    put(&mut image, entry + 28, &1_u32.to_le_bytes());
    put(&mut image, VHDX_METADATA, b"metadata");
    put(&mut image, VHDX_METADATA + 10, &2_u16.to_le_bytes());
    let entry = VHDX_METADATA + 32;
    put(
        &mut image,
        entry,
        &guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B"),
    );
    put(&mut image, entry + 16, &65536_u32.to_le_bytes());
    put(&mut image, entry + 20, &8_u32.to_le_bytes());
    put(&mut image, entry + 24, &4_u32.to_le_bytes());
    let entry = entry + 32;
    put(
        &mut image,
        entry,
        &guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8"),
    );
    put(&mut image, entry + 16, &65544_u32.to_le_bytes());
    put(&mut image, entry + 20, &8_u32.to_le_bytes());
    put(&mut image, entry + 24, &6_u32.to_le_bytes());
    put(&mut image, VHDX_METADATA + 65544, &size.to_le_bytes());
    image
}

/// The descriptor of a valid monolithic VMDK of 2048 sectors.
pub(crate) const DESCRIPTOR: &str = "# Disk DescriptorFile\nversion=1\nCID=a0b1c2d3\nparentCID=ffffffff\n\
    createType=\"monolithicSparse\"\n\n# Extent description\nRW 2048 SPARSE \"disk.vmdk\"\n\n\
    # The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\nddb.geometry.sectors = \"63\"\n";

/// Returns a VMDK with a sparse header of `sectors` and an embedded descriptor of 20 sectors.
pub(crate) fn vmdk(sectors: u64, descriptor: &str) -> Vec<u8> {
    let mut image = vec![0; 64 * 1024];
    put(&mut image, 0, &vmdk_header(sectors, 21));
    put(&mut image, 512, descriptor.as_bytes());
    image
}

/// Returns a sparse header with its grain directory at a sector.
fn vmdk_header(sectors: u64, directory: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    put(&mut header, 0, b"KDMV");
    put(&mut header, 4, &1_u32.to_le_bytes());
    put(&mut header, 12, &sectors.to_le_bytes());
    put(&mut header, 20, &128_u64.to_le_bytes());
    put(&mut header, 28, &1_u64.to_le_bytes());
    put(&mut header, 36, &20_u64.to_le_bytes());
    put(&mut header, 44, &512_u32.to_le_bytes());
    put(&mut header, 56, &directory.to_le_bytes());
    header
}

/// Returns a stream-optimised VMDK, which ends in marker, footer and end-of-stream marker.
pub(crate) fn vmdk_stream(sectors: u64) -> Vec<u8> {
    let descriptor = DESCRIPTOR.replace("monolithicSparse", "streamOptimized");
    let mut image = vmdk(sectors, &descriptor);
    put(&mut image, 56, &u64::MAX.to_le_bytes());
    let marker = with(vec![0; 512], 12, &3_u32.to_le_bytes());
    [image, marker, vmdk_header(sectors, 100), vec![0; 512]].concat()
}

/// Returns a VDI with a disk of `size` bytes.
pub(crate) fn vdi(size: u64) -> Vec<u8> {
    let mut image = vec![0; 1024];
    put(&mut image, 0, b"<<< Oracle VM VirtualBox Disk Image >>>\n");
    put(&mut image, 0x40, &0xbeda_107f_u32.to_le_bytes());
    put(&mut image, 0x44, &0x0001_0001_u32.to_le_bytes());
    put(&mut image, 0x48, &0x180_u32.to_le_bytes());
    put(&mut image, 0x4c, &1_u32.to_le_bytes());
    put(&mut image, 0x170, &size.to_le_bytes());
    image
}

/// Returns a CD image of `blocks` blocks of 2048 bytes.
pub(crate) fn iso(blocks: u32) -> Vec<u8> {
    let mut image = vec![0; 40 * 1024];
    put(&mut image, 32768, b"\x01CD001\x01");
    put(&mut image, 32768 + 80, &blocks.to_le_bytes());
    put(&mut image, 32768 + 84, &blocks.to_be_bytes());
    put(&mut image, 32768 + 128, &2048_u16.to_le_bytes());
    put(&mut image, 32768 + 130, &2048_u16.to_be_bytes());
    image
}

/// Returns a disk of `length` bytes with a master boot record and one Linux partition.
pub(crate) fn mbr(length: usize) -> Vec<u8> {
    let mut image = vec![0; length.max(512)];
    put(
        &mut image,
        446,
        &[0x80, 0x20, 0x21, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0],
    );
    put(&mut image, 510, &[0x55, 0xaa]);
    image
}

/// Returns a disk with a protective record and a GUID partition table's signature.
pub(crate) fn gpt(length: usize) -> Vec<u8> {
    let mut image = vec![0; length.max(1024)];
    put(
        &mut image,
        446,
        &[
            0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
        ],
    );
    put(&mut image, 510, &[0x55, 0xaa]);
    put(&mut image, 512, b"EFI PART");
    image
}

/// Returns an encrypted container of `length` bytes whose payload begins at a sector.
pub(crate) fn luks(version: u16, payload: u32, length: usize) -> Vec<u8> {
    let mut image = vec![0; length];
    put(&mut image, 0, b"LUKS\xba\xbe");
    put(&mut image, 6, &version.to_be_bytes());
    put(&mut image, 8, b"aes");
    put(&mut image, 40, b"xts-plain64");
    put(&mut image, 72, b"sha256");
    put(&mut image, 104, &payload.to_be_bytes());
    put(&mut image, 108, &64_u32.to_be_bytes());
    image
}

/// Returns a valid image of every format, with its `disk_format` and its virtual size in bytes.
pub(crate) fn sound_images() -> Vec<(&'static str, Vec<u8>, &'static str, u64)> {
    vec![
        ("raw", vec![7; 5000], "raw", 5000),
        ("qcow2 version 2", qcow2(2, 1 << 30), "qcow2", 1 << 30),
        ("qcow2 version 3", qcow2(3, 1 << 30), "qcow2", 1 << 30),
        ("dynamic vhd", vhd_dynamic(1 << 30), "vhd", 1 << 30),
        ("fixed vhd", vhd_fixed(&mbr(65536)), "vhd", 65536),
        ("vhdx", vhdx(1 << 30), "vhdx", 1 << 30),
        ("monolithic vmdk", vmdk(2048, DESCRIPTOR), "vmdk", 1 << 20),
        ("stream-optimised vmdk", vmdk_stream(2048), "vmdk", 1 << 20),
        ("vdi", vdi(1 << 30), "vdi", 1 << 30),
        ("iso", iso(300), "iso", 614_400),
        ("mbr", mbr(8192), "raw", 8192),
        ("gpt", gpt(8192), "raw", 8192),
        ("bootable iso", with(iso(300), 0, &mbr(512)), "iso", 614_400),
        ("luks", luks(1, 8, 8192), "luks", 4096),
    ]
}

/// A malicious or damaged image.
#[derive(Clone, Debug)]
pub(crate) struct HostileImage {
    /// The description.
    pub(crate) name: &'static str,
    /// The whole image.
    pub(crate) bytes: Vec<u8>,
    /// The declared `disk_format`.
    pub(crate) declared: &'static str,
    /// Whether it must be refused; otherwise it only has to be inspected with little time and memory.
    pub(crate) is_refused: bool,
}

/// Returns descriptors that a VMDK must not have.
fn hostile_descriptors() -> Vec<(&'static str, String)> {
    let extent = "RW 2048 SPARSE \"disk.vmdk\"";
    let kind = "createType=\"monolithicSparse\"";
    let replaced = |from: &str, to: &str| DESCRIPTOR.replace(from, to);
    vec![
        (
            "vmdk: extent by absolute path",
            replaced("disk.vmdk", "/etc/passwd"),
        ),
        (
            "vmdk: extent in another directory",
            replaced("disk.vmdk", "../../etc/passwd"),
        ),
        (
            "vmdk: flat extent",
            replaced(extent, "RW 2048 FLAT \"passwd\" 0"),
        ),
        (
            "vmdk: device extent",
            replaced(extent, "RW 2048 VMFSRDM \"sda\""),
        ),
        (
            "vmdk: second extent",
            replaced(extent, &format!("{extent}\n{extent}")),
        ),
        ("vmdk: no extent", replaced(extent, "")),
        (
            "vmdk: extent between tabs",
            replaced(extent, "RW\t2048\tFLAT\t\"/etc/passwd\"\t0\t="),
        ),
        (
            "vmdk: extent with tabs in front",
            replaced(extent, "RW\t2048\tFLAT\t\"/etc/passwd\"\t0"),
        ),
        (
            "vmdk: flat type",
            replaced("monolithicSparse", "monolithicFlat"),
        ),
        ("vmdk: custom type", replaced("monolithicSparse", "custom")),
        (
            "vmdk: full device type",
            replaced("monolithicSparse", "fullDevice"),
        ),
        ("vmdk: empty type", replaced("monolithicSparse", "")),
        (
            "vmdk: endless type",
            replaced("monolithicSparse", &"x".repeat(3000)),
        ),
        ("vmdk: no type", replaced(kind, "")),
        (
            "vmdk: unclosed type",
            replaced(kind, "createType=\"monolithicSparse"),
        ),
        (
            "vmdk: good type in a comment first",
            format!(
                "# {kind}\n{}",
                replaced("monolithicSparse", "monolithicFlat")
            ),
        ),
        (
            "vmdk: two types by case",
            format!("createtype=\"streamoptimized\"\n{DESCRIPTOR}"),
        ),
        (
            "vmdk: parent",
            replaced(kind, &format!("{kind}\nparentFileNameHint=\"/etc/passwd\"")),
        ),
        (
            "vmdk: parent in a comment",
            format!("{DESCRIPTOR}# parentFileNameHint=\"/etc/passwd\"\n"),
        ),
        ("vmdk: unknown line", format!("{DESCRIPTOR}include me\n")),
        (
            "vmdk: endless line",
            format!("{DESCRIPTOR}a={}\n", "b".repeat(9000)),
        ),
        ("vmdk: not ASCII", format!("{DESCRIPTOR}a=é\n")),
        ("vmdk: empty descriptor", String::new()),
    ]
}

/// Returns descriptors that are files of their own, whose extent is the file at `path`, in many spellings.
pub(crate) fn text_descriptors(path: &str) -> Vec<(&'static str, Vec<u8>)> {
    let strict = format!(
        "# Disk DescriptorFile\nversion=1\nCID=a0b1c2d3\nparentCID=ffffffff\n\
         createType=\"monolithicFlat\"\nRW 2048 FLAT \"{path}\" 0\n"
    );
    let replaced = |from: &str, to: &str| strict.replace(from, to).into_bytes();
    let behind = |prefix: &[u8]| [prefix, strict.as_bytes()].concat();
    let untitled = strict.replacen("# Disk DescriptorFile\n", "", 1);
    let padded = |length: usize| {
        let comment = format!("# {:x<length$}\n", "");
        [comment.as_bytes(), untitled.as_bytes()].concat()
    };
    vec![
        ("text: strict", strict.clone().into_bytes()),
        ("text: without a title", untitled.clone().into_bytes()),
        (
            "text: version 2",
            untitled.replace("version=1", "version=2").into_bytes(),
        ),
        (
            "text: version 3",
            untitled.replace("version=1", "version=3").into_bytes(),
        ),
        (
            "text: blanks around the sign",
            replaced("createType=", "createType = "),
        ),
        (
            "text: tabs around the sign",
            replaced("createType=", "createType\t=\t"),
        ),
        (
            "text: blanks around the sign, no title, no version",
            untitled
                .replace("createType=", "createType  =  ")
                .replace("version=1\n", "")
                .into_bytes(),
        ),
        ("text: upper case", strict.to_uppercase().into_bytes()),
        ("text: lower case", strict.to_lowercase().into_bytes()),
        ("text: lines that end as on Windows", replaced("\n", "\r\n")),
        (
            "text: no title, lines that end as on Windows",
            untitled.replace('\n', "\r\n").into_bytes(),
        ),
        ("text: blank lines in front", behind(b" \n   \n \r\n")),
        ("text: empty lines in front", behind(b"\n\n")),
        ("text: a byte order mark", behind(b"\xef\xbb\xbf")),
        (
            "text: comment in UTF-8",
            behind("# \u{e9}\u{20ac}\n".as_bytes()),
        ),
        ("text: comment in Latin-1", behind(b"# \xe9\xff\n")),
        ("text: zeros in a comment", behind(b"#\0\0\0\n")),
        (
            "text: control characters in a comment",
            behind(b"#\x01\x02\x7f\x1b[0m\n"),
        ),
        (
            "text: another title",
            replaced("# Disk DescriptorFile", "#Disk Descriptor File"),
        ),
        (
            "text: title alone",
            b"# Disk DescriptorFile\n\xff\0\xff".to_vec(),
        ),
        (
            "text: zeros behind",
            with(strict.clone().into_bytes(), 2000, &[0]),
        ),
        (
            "text: bytes behind",
            [strict.as_bytes(), &[0xff, 0, 1, 2][..]].concat(),
        ),
        (
            "text: bytes in between",
            replaced("CID=", "\u{1}\u{2}\u{3}\nCID="),
        ),
        ("text: a long comment", padded(480)),
        ("text: a comment across the first sector", padded(600)),
        (
            "text: as short as can be",
            b"version=1\ncreateType=\"custom\"\n".to_vec(),
        ),
        ("text: nothing but the version", b"version=1\n".to_vec()),
        (
            "text: type in a comment",
            replaced("createType=", "# createType="),
        ),
    ]
}

/// Returns beginnings of files that a descriptor could have, and some that it could not have.
pub(crate) fn nearly_descriptors() -> Vec<Vec<u8>> {
    let fronts: [&[u8]; 13] = [
        b"",
        b"#\n",
        b"# \xff\0\x01\n",
        b"#\r\n",
        b" \n",
        b"  \r\n",
        b"\n",
        b"\r\n",
        b"\t\n",
        b"# a\n# b\n  \n",
        b" #\n",
        b"#a\rb\n",
        b"\0",
    ];
    let versions: [&[u8]; 14] = [
        b"version=1\n",
        b"version=2\r\n",
        b"version=3\n",
        b"version=4\n",
        b"version=1",
        b"version=1 \n",
        b"version = 1\n",
        b"Version=1\n",
        b"version=1\r\r\n",
        b"version=1\0",
        b"version=12\n",
        b" version=1\n",
        b"encoding=\"x\"\nversion=1\n",
        b"",
    ];
    let mut images = Vec::new();
    for front in fronts {
        for version in versions {
            let rest: &[u8] = b"createType=\"monolithicFlat\"\nRW 1 FLAT \"/nowhere\" 0\n";
            images.push([front, version, rest].concat());
        }
        images.push([front, b"version=1\n"].concat());
    }
    // The lengths around the end of the first sector.
    for length in 495..512 {
        let comment = format!("#{:x<length$}\n", "");
        images.push([comment.as_bytes(), b"version=1\nCID=1\n"].concat());
    }
    images
}

/// Returns images that refer to other files, use features that cannot be checked, or are broken.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn hostile_images() -> Vec<HostileImage> {
    let mut images = Vec::new();
    let mut add = |declared: &'static str, is_refused: bool, name: &'static str, bytes: Vec<u8>| {
        images.push(HostileImage {
            name,
            bytes,
            declared,
            is_refused,
        });
    };
    let (five, many) = (u64::MAX.to_be_bytes(), u32::MAX.to_le_bytes());

    let good = || qcow2(3, 1 << 30);
    let backed = with(with(good(), 8, &512_u64.to_be_bytes()), 512, b"/etc/passwd");
    add("qcow2", true, "qcow2: backing file", backed.clone());
    add(
        "raw",
        true,
        "qcow2: backing file, declared raw",
        backed.clone(),
    );
    add(
        "raw",
        true,
        "qcow2: backing file, cut short, declared raw",
        cut(backed, 104),
    );
    add(
        "qcow2",
        true,
        "qcow2: backing file far away",
        with(good(), 8, &five),
    );
    add(
        "qcow2",
        true,
        "qcow2: external data file",
        with(good(), 79, &[4]),
    );
    add(
        "qcow2",
        true,
        "qcow2: unknown feature",
        with(good(), 79, &[0x10]),
    );
    add(
        "qcow2",
        true,
        "qcow2: all features",
        with(good(), 72, &five),
    );
    add(
        "qcow2",
        true,
        "qcow2: version 1",
        with(good(), 4, &1_u32.to_be_bytes()),
    );
    add(
        "qcow2",
        true,
        "qcow2: version 2^32 - 1",
        with(good(), 4, &many),
    );
    add(
        "qcow2",
        true,
        "qcow2: size of 2^63",
        with(good(), 24, &(1_u64 << 63).to_be_bytes()),
    );
    add(
        "qcow2",
        true,
        "qcow2: size of 2^64 - 1",
        with(good(), 24, &five),
    );
    add(
        "qcow2",
        true,
        "qcow2: clusters of 2^63 bytes",
        with(good(), 20, &63_u32.to_be_bytes()),
    );
    add(
        "qcow2",
        true,
        "qcow2: clusters of one byte",
        with(good(), 20, &[0; 4]),
    );
    add(
        "qcow2",
        true,
        "qcow2: header without length",
        with(good(), 100, &[0; 4]),
    );
    add("qcow2", true, "qcow2: cut short", cut(good(), 30));
    add("qcow2", true, "qcow2: only the magic", cut(good(), 4));
    add("vmdk", true, "qcow2: declared vmdk", good());
    add("ami", true, "qcow2: declared ami", good());
    add(
        "raw",
        true,
        "qcow2: with a CD inside",
        with(good(), 32768, &iso(3)[32768..]),
    );
    add(
        "qcow2",
        true,
        "qcow2: with a boot record",
        with(good(), 446, &mbr(512)[446..]),
    );
    add(
        "raw",
        true,
        "qcow2: with a VDI signature",
        with(good(), 0x40, &vdi(1)[0x40..0x44]),
    );
    add("raw", true, "qed", qed());
    add("qcow2", true, "qed: declared qcow2", qed());
    add("raw", true, "qed: only the magic", cut(qed(), 4));

    add(
        "vhd",
        true,
        "vhd: differencing",
        with(vhd_dynamic(1 << 30), 60, &4_u32.to_be_bytes()),
    );
    add("vhd", true, "vhd: size of 2^64 - 1", vhd_dynamic(u64::MAX));
    add(
        "vhd",
        true,
        "vhd: cut short",
        cut(vhd_dynamic(1 << 30), 511),
    );
    add(
        "vhd",
        true,
        "vhd: only the cookie",
        cut(vhd_dynamic(1 << 30), 8),
    );
    add(
        "raw",
        true,
        "vhd: cut short, declared raw",
        cut(vhd_dynamic(1 << 30), 100),
    );
    let fixed = || vhd_fixed(&[0; 4096]);
    add(
        "vhd",
        true,
        "vhd: footer larger than its data",
        [vec![0; 99], vhd_footer(2, 1 << 40)].concat(),
    );
    add(
        "vhd",
        true,
        "vhd: footer with a wrong sum",
        with(fixed(), 4096 + 90, &[1]),
    );
    add(
        "vhd",
        true,
        "vhd: footer behind a qcow2",
        vhd_fixed(&good()),
    );
    add("qcow2", true, "vhd: fixed, declared qcow2", fixed());

    let (table, metadata) = (192 * 1024, VHDX_METADATA);
    let good = || vhdx(1 << 30);
    add("vhdx", true, "vhdx: only the identifier", cut(good(), 8));
    add(
        "vhdx",
        true,
        "vhdx: cut short in the region table",
        cut(good(), table + 20),
    );
    add(
        "vhdx",
        true,
        "vhdx: cut short in the metadata",
        cut(good(), metadata + 40),
    );
    add(
        "vhdx",
        true,
        "vhdx: cut short before its size",
        cut(good(), metadata + 65544),
    );
    add(
        "vhdx",
        true,
        "vhdx: no region table",
        with(good(), table, &[0; 4]),
    );
    add(
        "vhdx",
        true,
        "vhdx: 2^32 - 1 regions",
        with(good(), table + 8, &many),
    );
    add(
        "vhdx",
        false,
        "vhdx: 2047 regions, most empty",
        with(good(), table + 8, &2047_u32.to_le_bytes()),
    );
    add(
        "vhdx",
        true,
        "vhdx: no metadata region",
        with(good(), table + 8, &1_u32.to_le_bytes()),
    );
    add(
        "vhdx",
        true,
        "vhdx: metadata region on itself",
        with(good(), table + 64, &[0; 8]),
    );
    add(
        "vhdx",
        true,
        "vhdx: metadata region in the table",
        with(good(), table + 64, &(table as u64).to_le_bytes()),
    );
    add(
        "vhdx",
        true,
        "vhdx: metadata region far away",
        with(good(), table + 64, &(1_u64 << 62).to_le_bytes()),
    );
    add(
        "vhdx",
        true,
        "vhdx: metadata region at the end of all",
        with(good(), table + 64, &five),
    );
    let second = [
        guid("8B7CA206-4790-4B9A-B8FE-575F050F886E"),
        good()[table + 64..table + 80].to_vec(),
    ]
    .concat();
    add(
        "vhdx",
        true,
        "vhdx: two metadata regions",
        with(good(), table + 16, &second),
    );
    add(
        "vhdx",
        true,
        "vhdx: unknown region required",
        with(good(), table + 16, &[9; 16]),
    );
    add(
        "vhdx",
        true,
        "vhdx: no metadata table",
        with(good(), metadata, &[0; 8]),
    );
    add(
        "vhdx",
        true,
        "vhdx: 65535 metadata items",
        with(good(), metadata + 10, &[0xff; 2]),
    );
    add(
        "vhdx",
        true,
        "vhdx: no virtual size",
        with(good(), metadata + 10, &[1, 0]),
    );
    add(
        "vhdx",
        true,
        "vhdx: virtual size in the table",
        with(good(), metadata + 80, &[32, 0, 0, 0]),
    );
    add(
        "vhdx",
        true,
        "vhdx: virtual size far away",
        with(good(), metadata + 80, &many),
    );
    add(
        "vhdx",
        true,
        "vhdx: virtual size of 2^32 - 1 bytes",
        with(good(), metadata + 84, &many),
    );
    add(
        "vhdx",
        true,
        "vhdx: virtual size of no bytes",
        with(good(), metadata + 84, &[0; 4]),
    );
    add("vhdx", true, "vhdx: size of 2^64 - 1", vhdx(u64::MAX));
    let parent = guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C");
    add(
        "vhdx",
        true,
        "vhdx: parent",
        with(good(), metadata + 32, &parent),
    );
    add(
        "vhdx",
        true,
        "vhdx: unknown item required",
        with(good(), metadata + 32, &[9; 16]),
    );

    for (name, descriptor) in hostile_descriptors() {
        add("vmdk", true, name, vmdk(2048, &descriptor));
    }
    let good = || vmdk(2048, DESCRIPTOR);
    add("vmdk", true, "vmdk: no capacity", vmdk(0, DESCRIPTOR));
    add(
        "vmdk",
        true,
        "vmdk: capacity of 2^64 - 1 sectors",
        vmdk(u64::MAX, DESCRIPTOR),
    );
    add(
        "vmdk",
        true,
        "vmdk: capacity of 2^54 sectors",
        vmdk(1 << 54, DESCRIPTOR),
    );
    add("vmdk", true, "vmdk: version 4", with(good(), 4, &[4]));
    add(
        "vmdk",
        true,
        "vmdk: descriptor elsewhere",
        with(good(), 28, &[2]),
    );
    add(
        "vmdk",
        true,
        "vmdk: descriptor far away",
        with(good(), 28, &five),
    );
    add(
        "vmdk",
        true,
        "vmdk: descriptor without length",
        with(good(), 36, &[0; 8]),
    );
    add(
        "vmdk",
        true,
        "vmdk: descriptor of 2^64 - 1 sectors",
        with(good(), 36, &five),
    );
    add("vmdk", true, "vmdk: descriptor cut short", cut(good(), 600));
    add("vmdk", true, "vmdk: header cut short", cut(good(), 63));
    add("vmdk", true, "vmdk: only the magic", cut(good(), 4));
    let spill = format!("{DESCRIPTOR:\n<512}parentFileNameHint=\"/etc/passwd\"\n");
    add(
        "vmdk",
        true,
        "vmdk: parent behind the descriptor",
        with(vmdk(2048, &spill), 36, &[1]),
    );
    let bare = DESCRIPTOR
        .replace("monolithicSparse", "monolithicFlat")
        .replace("SPARSE \"disk.vmdk\"", "FLAT \"/etc/passwd\" 0");
    add(
        "vmdk",
        true,
        "vmdk: bare descriptor",
        bare.clone().into_bytes(),
    );
    add(
        "raw",
        true,
        "vmdk: bare descriptor, declared raw",
        bare.clone().into_bytes(),
    );
    add(
        "raw",
        true,
        "vmdk: bare descriptor behind 900 KiB of comment",
        format!("{}{bare}", "# rem\n".repeat(153_600)).into_bytes(),
    );
    add(
        "raw",
        true,
        "vmdk: bare descriptor padded with zeros, declared raw",
        with(bare.clone().into_bytes(), 511, &[0]),
    );
    add(
        "raw",
        true,
        "vmdk: COWD extent, declared raw",
        with(vec![0; 4096], 0, b"COWD"),
    );
    for (name, bytes) in text_descriptors("/etc/passwd") {
        add("raw", true, name, bytes);
    }
    add("raw", true, "bochs", bochs());
    add("raw", true, "cloop", cloop());
    add("qcow2", true, "ploop: declared qcow2", ploop());
    add("ploop", true, "qcow2: declared ploop", qcow2(3, 1 << 20));
    add("raw", false, "ploop: declared raw", ploop());
    let end = vmdk_stream(2048).len();
    let stream = || vmdk_stream(2048);
    add(
        "vmdk",
        true,
        "vmdk: footer with another capacity",
        with(stream(), end - 1024 + 12, &[1]),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer with another descriptor",
        with(stream(), end - 1024 + 28, &[9]),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer with another version",
        with(stream(), end - 1024 + 4, &[2]),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer of another kind",
        with(stream(), end - 1024, b"COWD"),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer that announces a footer",
        with(stream(), end - 1024 + 56, &five),
    );
    add(
        "vmdk",
        true,
        "vmdk: no footer marker",
        with(stream(), end - 1536 + 12, &[0]),
    );
    add(
        "vmdk",
        true,
        "vmdk: no end of stream",
        with(stream(), end - 1, &[1]),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer cut short",
        cut(stream(), end - 1),
    );
    add(
        "vmdk",
        true,
        "vmdk: footer announced, none there",
        cut(stream(), 20_000),
    );

    add(
        "vdi",
        true,
        "vdi: version 2",
        with(vdi(1 << 30), 0x44, &0x0002_0000_u32.to_le_bytes()),
    );
    add(
        "vdi",
        true,
        "vdi: differencing",
        with(vdi(1 << 30), 0x4c, &[4]),
    );
    add(
        "vdi",
        true,
        "vdi: parent",
        with(vdi(1 << 30), 0x1b8, &[1; 16]),
    );
    add("vdi", true, "vdi: size of 2^64 - 1", vdi(u64::MAX));
    add("vdi", true, "vdi: cut short", cut(vdi(1 << 30), 100));
    add("iso", true, "iso: cut short", cut(iso(3), 33_000));
    add("iso", false, "iso: more blocks than data", iso(u32::MAX));
    add("iso", false, "iso: no blocks", iso(0));
    add("qcow2", true, "iso: declared qcow2", iso(3));
    add(
        "raw",
        true,
        "iso: with a QCOW2 header",
        with(iso(3), 0, &qcow2(3, 1)),
    );
    add(
        "raw",
        true,
        "mbr: invalid boot flag",
        with(mbr(8192), 446, &[0x42]),
    );
    add(
        "raw",
        true,
        "mbr: no partition",
        with(mbr(8192), 446, &[0; 16]),
    );
    add(
        "raw",
        true,
        "gpt: another partition",
        with(gpt(8192), 446 + 16, &mbr(512)[446..462]),
    );
    add(
        "raw",
        true,
        "gpt: protective entry is not the first",
        with(with(gpt(8192), 446, &[0; 16]), 462, &gpt(1024)[446..462]),
    );
    add(
        "raw",
        true,
        "gpt: invalid start",
        with(gpt(8192), 447, &[1]),
    );
    add(
        "raw",
        true,
        "gpt: invalid first block",
        with(gpt(8192), 454, &[2]),
    );
    add("aki", true, "gpt: declared aki", gpt(8192));
    add("luks", true, "luks: version 2", luks(2, 8, 8192));
    add(
        "raw",
        true,
        "luks: version 2, declared raw",
        luks(2, 8, 8192),
    );
    add(
        "luks",
        true,
        "luks: payload behind the end",
        luks(1, u32::MAX, 8192),
    );
    add("luks", true, "luks: cut short", luks(1, 0, 591));
    add(
        "luks",
        true,
        "luks: only the magic",
        cut(luks(1, 0, 592), 6),
    );
    add(
        "raw",
        false,
        "raw: a MiB of text",
        b"all work and no play ".repeat(50_000),
    );
    add(
        "raw",
        false,
        "raw: a MiB of createType=",
        b"createtype=createtype=".repeat(50_000),
    );
    add("raw", false, "raw: one byte", vec![b'Q']);
    add("raw", false, "raw: nothing", Vec::new());
    add("qcow2", true, "raw: nothing, declared qcow2", Vec::new());
    add(
        "qcow2",
        true,
        "raw: zeros, declared qcow2",
        vec![0; 100_000],
    );
    images
}
