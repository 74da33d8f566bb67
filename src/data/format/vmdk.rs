//! VMDK: one file with a sparse header (monolithicSparse, streamOptimized), or a bare descriptor.
//!
//! Little-endian sparse header: magic `KDMV` at 0, version 4, capacity in sectors 12, descriptor's sector
//! 28 and length in sectors 36, grain directory's sector 56 (all ones: the footer has it). The descriptor
//! is text; it is checked line by line and never stored. A bare descriptor only refers to other files, so
//! it is refused in whatever spelling: with the title line, with the line that QEMU probes (`version=1`
//! after nothing but comments and blanks), or with a `createType` in data that begins like text.
//!
//! *Source:* VMware Virtual Disk Format 5.0; `VMDKInspector` of oslo.utils' `format_inspector`; the
//! conditions under which QEMU's block/vmdk.c opens another file.

use super::region::{Tail, Window, le_u32, le_u64, unseen};
use super::{Finding, Format};

const MAGIC: &[u8] = b"KDMV";
/// The magic of ESX extents.
const OLD_MAGIC: &[u8] = b"COWD";
const SECTOR: u64 = 512;
/// The number of bytes that are inspected to detect the format.
const HEADER: usize = 512;
/// The size of a sparse header in bytes.
const SHORTEST: usize = 64;
/// The offset of an embedded descriptor in bytes.
const DESCRIPTOR: u64 = 512;
/// The maximum number of bytes of a descriptor that any reader reads.
const MAX_DESCRIPTOR: u64 = (1 << 20) - 1;
/// The number of bytes in which QEMU searches for a parent, regardless of the header.
const PARENT_SEARCH: u64 = 20 * SECTOR;
/// The maximum length of a line in bytes; the format allows a path name and little else.
const MAX_LINE: usize = 4096;
/// The grain directory's sector if the footer has the actual one.
const DIRECTORY_AT_END: u64 = u64::MAX;
const FOOTER_MARKER: u32 = 3;
const END_OF_STREAM_MARKER: u32 = 0;
const CREATE_TYPE: &[u8] = b"createtype=\"";
/// The key of the type, for descriptors with blanks around the equals sign.
const CREATE_TYPE_KEY: &[u8] = b"createtype";
/// The first line of a descriptor, without blanks.
const TITLE: &[u8] = b"#diskdescriptorfile";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const PARENT_HINT: &[u8] = b"parentfilenamehint";
/// The two types that store all of their data in one file.
const ALLOWED_TYPES: [&[u8]; 2] = [b"monolithicsparse", b"streamoptimized"];
const ACCESS: [&[u8]; 3] = [b"rw", b"rdonly", b"noaccess"];

/// The inspection state of a stream that may be a VMDK.
#[derive(Clone, Debug)]
pub(super) struct Vmdk {
    stage: Stage,
    finding: Option<Finding>,
    /// The sparse header, if there is a footer to compare with it.
    header_with_footer: Option<Window>,
}

#[derive(Clone, Debug)]
enum Stage {
    Header(Window),
    Text(Text),
    Descriptor(Box<Descriptor>),
    Over,
}

impl Vmdk {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Header(Window::new(0, HEADER)),
            finding: None,
            header_with_footer: None,
        }
    }

    /// Adds a chunk that begins at byte `start` of the stream.
    pub(super) fn push(&mut self, start: u64, chunk: &[u8]) {
        if let Stage::Header(window) = &mut self.stage {
            window.push(start, chunk);
            if !window.is_complete() {
                return;
            }
            let window = window.clone();
            self.read_header(&window);
        }
        match &mut self.stage {
            Stage::Header(_) | Stage::Over => {}
            Stage::Text(text) => {
                text.push(start, chunk);
                self.end_text();
            }
            Stage::Descriptor(descriptor) => {
                if let Some(finding) = &mut self.finding {
                    descriptor.push(start, chunk, finding);
                }
                if descriptor.is_over {
                    self.stage = Stage::Over;
                }
            }
        }
    }

    /// Returns whether the format is certain.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.stage, Stage::Header(_) | Stage::Text(_))
    }

    /// Returns whether only the end of the stream is still relevant.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Returns the finding so far.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.finding.clone()
    }

    /// Returns the finding for a stream that has ended at `size` bytes with `tail`.
    pub(super) fn finish(mut self, size: u64, tail: &Tail) -> Option<Finding> {
        if let Stage::Header(window) = &self.stage {
            let window = window.clone();
            self.read_header(&window);
        }
        let mut finding = self.finding?;
        if let Stage::Descriptor(descriptor) = &mut self.stage {
            descriptor.finish(size, &mut finding);
        }
        if let Some(header) = &self.header_with_footer {
            compare_footer(header.data(), tail.last(Tail::LENGTH), size, &mut finding);
        }
        Some(finding)
    }

    /// Returns the used memory in bytes.
    pub(super) fn held(&self) -> usize {
        let stage = match &self.stage {
            Stage::Header(window) => window.held(),
            Stage::Descriptor(descriptor) => {
                size_of::<Descriptor>()
                    + descriptor.line.capacity()
                    + descriptor.create_type.capacity()
            }
            Stage::Text(_) | Stage::Over => 0,
        };
        stage + self.header_with_footer.as_ref().map_or(0, Window::held)
    }

    fn read_header(&mut self, window: &Window) {
        let data = window.data();
        self.stage = Stage::Over;
        if data.starts_with(MAGIC) {
            let mut finding = Finding::new(Format::Vmdk, 0);
            if let Some(length) = read_sparse_header(data, &mut finding) {
                self.stage = Stage::Descriptor(Box::new(Descriptor::new(length)));
                if le_u64(data, 56) == DIRECTORY_AT_END {
                    self.header_with_footer = Some(window.clone());
                }
            }
            self.finding = Some(finding);
        } else if data.starts_with(OLD_MAGIC) {
            let mut finding = Finding::new(Format::Vmdk, 0);
            finding.add_unsafe("descriptor", 0, "is a COWD extent, which is not supported");
            self.finding = Some(finding);
        } else if let Some(offset) = find_title(data).or_else(|| find_version(data)) {
            self.finding = Some(bare_descriptor(offset));
        } else if begins_like_text(data) {
            let mut text = Text::default();
            text.push(0, data);
            self.stage = Stage::Text(text);
            self.end_text();
        }
    }

    fn end_text(&mut self) {
        let Stage::Text(text) = &self.stage else {
            return;
        };
        if let Some(offset) = text.found {
            self.finding = Some(bare_descriptor(offset));
        }
        if text.is_over {
            self.stage = Stage::Over;
        }
    }
}

/// Checks a sparse header, and returns the length of its descriptor in bytes if that has to be read.
fn read_sparse_header(data: &[u8], finding: &mut Finding) -> Option<u64> {
    if data.len() < SHORTEST {
        finding.add_cut_short(data.len() as u64, "header");
        return None;
    }
    let version = le_u32(data, 4);
    if !(1..=3).contains(&version) {
        finding.add_unsafe(
            "descriptor",
            4,
            format_args!("version {version} is not supported"),
        );
        return None;
    }
    let sector = le_u64(data, 28);
    if sector != DESCRIPTOR / SECTOR {
        finding.add_unsafe(
            "descriptor",
            28,
            format_args!("descriptor is at sector {sector} instead of 1"),
        );
        return None;
    }
    let length = le_u64(data, 36);
    if length == 0 {
        finding.add_unsafe("descriptor", 36, "has no descriptor");
        return None;
    }
    let capacity = le_u64(data, 12);
    if capacity == 0 {
        finding.add_unsafe(
            "descriptor",
            12,
            "has no capacity of its own, so its extents are other files",
        );
    }
    finding.measure(u128::from(capacity) * u128::from(SECTOR), 12);
    Some(length.saturating_mul(SECTOR).min(MAX_DESCRIPTOR))
}

/// Compares the footer, which readers use, with the header, which was checked.
///
/// `tail` is the last 1536 bytes of the stream: a marker, the footer, an end-of-stream marker.
fn compare_footer(header: &[u8], tail: &[u8], size: u64, finding: &mut Finding) {
    let start = size.saturating_sub(Tail::LENGTH as u64);
    let (Some(marker), Some(footer), Some(end)) =
        (tail.get(..512), tail.get(512..1024), tail.get(1024..1536))
    else {
        finding.add_cut_short(size, "footer");
        return;
    };
    if !size.is_multiple_of(SECTOR) {
        finding.add_unsafe(
            "footer",
            size,
            "does not end at a sector, so its footer is ambiguous",
        );
    }
    let differs = [
        (0_usize, 4_usize, "signature"),
        (4, 4, "version"),
        (12, 8, "capacity"),
        (28, 16, "descriptor"),
    ]
    .into_iter()
    .find(|(at, length, _)| header.get(*at..at + length) != footer.get(*at..at + length));
    if let Some((at, _, what)) = differs {
        finding.add_unsafe(
            "footer",
            start.saturating_add(512 + at as u64),
            format_args!("footer and header have different values of {what}"),
        );
    }
    if le_u64(footer, 56) == DIRECTORY_AT_END {
        finding.add_unsafe(
            "footer",
            start.saturating_add(512 + 56),
            "footer refers to another footer",
        );
    }
    if !is_marker(marker, FOOTER_MARKER) {
        finding.add_unsafe("footer", start, "footer marker is invalid");
    }
    if !is_marker(end, END_OF_STREAM_MARKER) || le_u64(end, 0) != 0 {
        finding.add_unsafe(
            "footer",
            start.saturating_add(1024),
            "end-of-stream marker is invalid",
        );
    }
}

/// Returns whether a sector is an empty marker of a type: a value, size 0, the type, zeros.
fn is_marker(sector: &[u8], kind: u32) -> bool {
    let rest = sector.get(16..).unwrap_or_default();
    le_u32(sector, 8) == 0 && le_u32(sector, 12) == kind && rest.iter().all(|byte| *byte == 0)
}

/// Returns whether a byte is white space in a descriptor.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ')
}

/// Returns the finding for a descriptor that is a file of its own, with its signature at `offset`.
fn bare_descriptor(offset: u64) -> Finding {
    let mut finding = Finding::new(Format::Vmdk, offset);
    finding.add_unsafe(
        "descriptor",
        offset,
        "is a bare descriptor, whose extents are other files",
    );
    finding
}

/// Returns the offset of the title line of a descriptor.
fn find_title(data: &[u8]) -> Option<u64> {
    let text = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
    let mut letters = text
        .iter()
        .filter(|byte| !is_space(**byte))
        .map(u8::to_ascii_lowercase);
    let is_title = TITLE.iter().all(|byte| letters.next() == Some(*byte));
    let at = data.iter().position(|byte| *byte == b'#')?;
    is_title.then_some(at as u64)
}

/// Returns the offset of the line by which QEMU detects a descriptor: `version=1`, 2 or 3, after blank
/// lines and comments, which may contain any bytes. Blanks are accepted wherever any reader accepts them.
///
/// *Source:* `vmdk_probe` in QEMU's block/vmdk.c.
fn find_version(data: &[u8]) -> Option<u64> {
    let mut at = 0;
    loop {
        match data.get(at)? {
            b'#' => at += data.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1,
            byte if is_space(*byte) => at += 1,
            _ => break,
        }
    }
    let line = data.get(at..)?.split(|byte| *byte == b'\n').next()?;
    let shown: Vec<u8> = line
        .iter()
        .filter(|byte| !is_space(**byte))
        .map(u8::to_ascii_lowercase)
        .collect();
    let is_version = matches!(shown.strip_prefix(b"version="), Some([b'1'..=b'3']));
    is_version.then_some(at as u64)
}

/// Returns whether the data is only text, in any encoding, possibly padded with zeros.
fn begins_like_text(data: &[u8]) -> bool {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    !text.is_empty() && text.iter().all(|byte| is_text(*byte))
}

/// Returns whether a byte may occur in a descriptor.
fn is_text(byte: u8) -> bool {
    is_space(byte) || byte.is_ascii_graphic() || !byte.is_ascii()
}

/// Searches a stream for `createType = "` in any case, with or without blanks.
#[derive(Clone, Debug, Default)]
struct TypeSearch {
    /// The number of matched bytes of the key; one more after the equals sign.
    matched: usize,
    /// The number of bytes since the beginning of the key.
    length: u64,
}

impl TypeSearch {
    /// Adds the next byte; returns the length of the match if it ends in this byte.
    fn push(&mut self, byte: u8) -> Option<u64> {
        let byte = byte.to_ascii_lowercase();
        let key = CREATE_TYPE_KEY.len();
        self.length += 1;
        match self.matched.checked_sub(key) {
            Some(0 | 1) if matches!(byte, b' ' | b'\t') => {}
            Some(0) if byte == b'=' => self.matched += 1,
            Some(1) if byte == b'"' => return Some(self.length),
            None if CREATE_TYPE_KEY.get(self.matched) == Some(&byte) => self.matched += 1,
            // The first letter occurs only once in the key.
            _ => {
                self.matched = usize::from(CREATE_TYPE_KEY.first() == Some(&byte));
                self.length = self.matched as u64;
            }
        }
        None
    }
}

/// Searches a stream for a lowercase word whose first letter occurs only once in it.
#[derive(Clone, Debug)]
struct Search {
    word: &'static [u8],
    matched: usize,
}

impl Search {
    fn new(word: &'static [u8]) -> Self {
        Self { word, matched: 0 }
    }

    /// Adds the next byte; returns whether it completes the word.
    fn push(&mut self, byte: u8) -> bool {
        let byte = byte.to_ascii_lowercase();
        if self.word.get(self.matched) == Some(&byte) {
            self.matched += 1;
        } else {
            self.matched = usize::from(self.word.first() == Some(&byte));
        }
        let is_found = self.matched == self.word.len();
        if is_found {
            self.matched = 0;
        }
        is_found
    }
}

/// The inspection state of a stream that begins like text and may be a descriptor.
#[derive(Clone, Debug, Default)]
struct Text {
    search: TypeSearch,
    /// The offset of the first byte that has not been inspected.
    next: u64,
    /// The offset of the type of a descriptor.
    found: Option<u64>,
    is_over: bool,
}

impl Text {
    fn push(&mut self, start: u64, chunk: &[u8]) {
        for byte in unseen(start, chunk, self.next) {
            if *byte == 0 || self.next >= MAX_DESCRIPTOR {
                self.is_over = true;
                return;
            }
            self.next += 1;
            if let Some(length) = self.search.push(*byte) {
                self.found = Some(self.next.saturating_sub(length));
                self.is_over = true;
                return;
            }
        }
    }
}

/// The inspection state of an embedded descriptor.
#[derive(Clone, Debug)]
struct Descriptor {
    /// The offset of the first byte that has not been inspected.
    next: u64,
    /// The offset of the first byte after the descriptor, according to the header.
    end: u64,
    /// Whether the text has ended, with a zero byte or with the descriptor.
    is_text_over: bool,
    /// Whether no more data is needed.
    is_over: bool,
    line: Vec<u8>,
    line_start: u64,
    parent: Search,
    create_type: Vec<u8>,
    extents: u32,
}

impl Descriptor {
    fn new(length: u64) -> Self {
        Self {
            next: DESCRIPTOR,
            end: DESCRIPTOR.saturating_add(length),
            is_text_over: false,
            is_over: false,
            line: Vec::new(),
            line_start: DESCRIPTOR,
            parent: Search::new(PARENT_HINT),
            create_type: Vec::new(),
            extents: 0,
        }
    }

    /// Adds a chunk that begins at byte `start` of the stream.
    fn push(&mut self, start: u64, chunk: &[u8], finding: &mut Finding) {
        // After the text, up to its declared end, only the presence of bytes matters.
        let search_end = self.end.max(DESCRIPTOR + PARENT_SEARCH);
        let mut is_terminated = self.is_text_over && self.next < self.end;
        if !is_terminated {
            for byte in unseen(start, chunk, self.next) {
                if self.next >= search_end {
                    break;
                }
                if self.next == self.end {
                    self.end_text(finding);
                }
                if *byte == 0 {
                    is_terminated = true;
                    break;
                }
                self.next += 1;
                if self.parent.push(*byte) {
                    let offset = self.next.saturating_sub(PARENT_HINT.len() as u64);
                    finding.add_unsafe("parent", offset, "names a parent file");
                }
                if self.next <= self.end && !self.take(*byte, finding) {
                    self.is_over = true;
                    return;
                }
            }
        }
        let seen = start.saturating_add(chunk.len() as u64);
        if is_terminated {
            self.end_text(finding);
            self.is_over = seen >= self.end;
        } else if self.next >= search_end {
            self.end_text(finding);
            self.is_over = true;
        }
    }

    /// Completes the inspection of a stream that ended at `size` bytes.
    fn finish(&mut self, size: u64, finding: &mut Finding) {
        if size < self.end {
            finding.add_cut_short(size, "descriptor");
        } else {
            self.end_text(finding);
        }
    }

    /// Adds a byte of the text; returns false if the rest need not be read.
    fn take(&mut self, byte: u8, finding: &mut Finding) -> bool {
        if byte == b'\n' {
            self.end_line(finding);
        } else if !byte.is_ascii() {
            finding.add_unsafe(
                "descriptor",
                self.next.saturating_sub(1),
                "descriptor is not ASCII text",
            );
            return false;
        } else if self.line.len() == MAX_LINE {
            finding.add_unsafe(
                "descriptor",
                self.line_start,
                format_args!("descriptor has a line of more than {MAX_LINE} bytes"),
            );
            return false;
        } else {
            self.line.push(byte.to_ascii_lowercase());
        }
        true
    }

    fn end_line(&mut self, finding: &mut Finding) {
        let line = std::mem::take(&mut self.line);
        self.judge_line(&line, finding);
        self.line = line;
        self.line.clear();
        self.line_start = self.next;
    }

    fn end_text(&mut self, finding: &mut Finding) {
        if self.is_text_over {
            return;
        }
        self.is_text_over = true;
        self.end_line(finding);
        if self.create_type.is_empty() {
            finding.add_unsafe("descriptor", DESCRIPTOR, "descriptor has no createType");
        }
        if self.extents == 0 {
            finding.add_unsafe("descriptor", DESCRIPTOR, "descriptor has no extent");
        }
    }

    /// Checks a line in lower case: a comment, disk database, header field or extent; anything else is an
    /// offence.
    fn judge_line(&mut self, line: &[u8], finding: &mut Finding) {
        self.judge_create_type(line, finding);
        let text = trim(line);
        if text.is_empty() || text.starts_with(b"#") || text.starts_with(b"ddb") {
            return;
        }
        let key = text.split(|byte| *byte == b'=').next().unwrap_or_default();
        let is_field = key.len() < text.len() && !key.iter().any(|byte| is_space(*byte));
        if is_field {
            return;
        }
        let access = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        if ACCESS.contains(&access) {
            self.judge_extent(text, finding);
        } else {
            finding.add_unsafe(
                "descriptor",
                self.line_start,
                "descriptor has an invalid line",
            );
        }
    }

    /// Checks a type. It may occur more than once, even in a comment, and readers differ in the one that
    /// they use.
    fn judge_create_type(&mut self, line: &[u8], finding: &mut Finding) {
        let mut rest = line;
        while let Some(at) = rest
            .windows(CREATE_TYPE.len())
            .position(|window| window == CREATE_TYPE)
        {
            rest = rest.get(at + CREATE_TYPE.len()..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'"');
            let value = end.and_then(|end| rest.get(..end)).unwrap_or_default();
            if !ALLOWED_TYPES.contains(&value) {
                let shown = value.get(..32).unwrap_or(value).escape_ascii();
                finding.add_unsafe(
                    "descriptor",
                    self.line_start,
                    format_args!(
                        "createType {shown:?} is not allowed",
                        shown = shown.to_string()
                    ),
                );
            } else if !self.create_type.is_empty() && self.create_type != value {
                finding.add_unsafe(
                    "descriptor",
                    self.line_start,
                    "descriptor has two createTypes",
                );
            }
            if self.create_type.is_empty() {
                self.create_type = value.get(..32).unwrap_or(value).to_vec();
                if self.create_type.is_empty() {
                    self.create_type.push(b'?');
                }
            }
        }
    }

    fn judge_extent(&mut self, line: &[u8], finding: &mut Finding) {
        self.extents = self.extents.saturating_add(1);
        let offset = self.line_start;
        if line.contains(&b'/') {
            finding.add_unsafe("descriptor", offset, "extent names a file by its path");
        }
        let kind = line
            .split(|byte| is_space(*byte))
            .filter(|word| !word.is_empty())
            .nth(2)
            .unwrap_or_default();
        if kind != b"sparse" {
            finding.add_unsafe(
                "descriptor",
                offset,
                "extent is not sparse, so it is another file",
            );
        }
        if self.extents == 2 {
            finding.add_unsafe(
                "descriptor",
                offset,
                "has a second extent, which is another file",
            );
        }
    }
}

fn trim(line: &[u8]) -> &[u8] {
    let start = line
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(line.len());
    let end = line
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or_default()
}
