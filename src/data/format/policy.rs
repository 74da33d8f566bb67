//! The decision whether data is accepted for an image, and which virtual size the catalogue stores.
//!
//! The reference implementation's behaviour on upload (`set_data` of glance 33's `location.py`; it always
//! reads the whole stream first, because it passes no expected format to the inspector):
//!
//! 1. Only `container_format` bare is inspected. Anything else is stored without inspection and without a
//!    virtual size.
//! 2. Several formats at once are refused ("Multiple formats detected"), except iso with gpt, which is iso.
//! 3. The detected format is the declared one: its virtual size is stored unless it is zero.
//! 4. Nothing is detected (raw) and the declared format cannot be detected (ami, ari, aki, ploop, …):
//!    accepted without a virtual size. The same holds for a Parallels image that is declared ploop, which only
//!    this implementation detects.
//! 5. Anything is declared raw: accepted, and the virtual size is the size of the data. So a partition
//!    table, a QCOW2 image or a CD may be declared raw; but a CD with a partition table may not (the reference
//!    implementation fails on its own log message there, which requests the one format again).
//! 6. Everything else is refused: "Image disk_format X does not match stream data Y". An `ami` or `aki` in
//!    which a format is detected is refused too.
//! 7. Then, in every accepted case, the safety checks of the *detected* format must pass: a QCOW2 image
//!    with a backing file is refused even if it is declared raw. Failures of checks in
//!    `gpt_safety_checks_nonfatal` are ignored for gpt, and failures of `mbr` for anything declared aki or
//!    ari.
//! 8. An empty stream is raw of zero bytes, so it has no virtual size.
//!
//! With `require_image_format_match` off, failures of 2 and 6 (and a truncated header) are ignored, and no
//! virtual size is stored. In that case the reference implementation skips step 7; here it applies.

use super::{Detected, Finding, Format, Inspector, Offence, Verdict, Weight};

/// The declared formats of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// `ami`, `ari`, `aki`, `vhd`, `vhdx`, `vmdk`, `raw`, `qcow2`, `vdi`, `iso`, `ploop`, `luks`, or
    /// another configured format.
    pub disk_format: &'a str,
    /// `bare`, `ovf`, `ova`, `docker`, …
    pub container_format: &'a str,
}

impl Declared<'_> {
    /// Returns whether the data is inspected, which only data without a container is.
    pub fn is_inspected(self) -> bool {
        self.container_format == "bare"
    }
}

/// The requirements on data; the defaults are the reference implementation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether data must match its declared format: `[image_format] require_image_format_match`. Default
    /// true.
    pub require_image_format_match: bool,
    /// Whether the caller allows a mismatch for this transfer. Default false.
    pub allow_mismatch: bool,
    /// The names of checks whose failures are ignored for partition tables:
    /// `[image_format] gpt_safety_checks_nonfatal`. Default none.
    pub gpt_safety_checks_nonfatal: Vec<String>,
    /// Whether data that is declared raw must not match any format but a partition table. Needed before a
    /// conversion, so that no program reads a QCOW2 image as raw. Default false.
    pub is_raw_exact: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            require_image_format_match: true,
            allow_mismatch: false,
            gpt_safety_checks_nonfatal: Vec::new(),
            is_raw_exact: false,
        }
    }
}

/// The result for accepted data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The size in bytes that the catalogue stores; None if it stores none. Never zero, never above 2^63 −
    /// 1.
    pub virtual_size: Option<u64>,
    /// Ignored failures and other warnings, a lowercase fragment each.
    pub warnings: Vec<String>,
}

/// The reason why data is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The data does not match its declared format, or matches several formats.
    Mismatch,
    /// The data is malformed.
    Malformed,
    /// The data refers to data outside itself, or uses features that cannot be checked.
    Unsafe,
}

/// The refusal of data; 415 over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The reference implementation's sentence, followed by the offence and its byte offset if the sentence
    /// lacks the cause.
    pub message: String,
    /// The position of the offence, or of the unexpected format's signature, in bytes from the beginning.
    /// None for raw data.
    pub offset: Option<u64>,
}

impl Policy {
    /// Decides whether data with the result `verdict` may be stored as its declared format.
    ///
    /// # Errors
    /// The [`Refusal`], if it may not.
    pub fn decide(&self, declared: Declared<'_>, verdict: &Verdict) -> Result<Acceptance, Refusal> {
        if !declared.is_inspected() {
            return Ok(Acceptance::default());
        }
        if let Some(disk) = fixed_vhd(declared, verdict) {
            return self.judge(declared, &[disk], disk.virtual_size, Vec::new());
        }
        let detected = verdict.detected();
        let offenders = offenders(&detected, verdict);
        let format = match &detected {
            Detected::One(format) => *format,
            Detected::Several(_) => {
                return self.forgive(declared, &offenders, several(verdict));
            }
        };
        if format.name() == declared.disk_format {
            return self.judge(declared, &offenders, verdict.virtual_size(), Vec::new());
        }
        if format == Format::Raw && may_be_unmarked(declared.disk_format) {
            return Ok(Acceptance::default());
        }
        if declared.disk_format == Format::Raw.name() && verdict.findings.len() > 1 {
            return self.forgive(declared, &offenders, several(verdict));
        }
        if declared.disk_format == Format::Raw.name()
            && (format == Format::Gpt || !self.is_raw_exact)
        {
            let warning = format!("the image is declared raw but is {format}");
            let size = i64::try_from(verdict.size)
                .ok()
                .and_then(|size| u64::try_from(size).ok())
                .filter(|size| *size > 0);
            return self.judge(declared, &offenders, size, vec![warning]);
        }
        let message = format!(
            "Image disk_format {} does not match stream data {format}",
            declared.disk_format
        );
        self.forgive(declared, &offenders, message)
    }

    /// Returns a refusal that the rest of the stream cannot change, if one is certain already.
    ///
    /// Cheap enough to call after every push. The caller may stop reading.
    pub fn refuse_early(&self, declared: Declared<'_>, inspector: &Inspector) -> Option<Refusal> {
        if !declared.is_inspected() {
            return None;
        }
        let verdict = inspector.early_verdict()?;
        let may_be_fixed_vhd =
            declared.disk_format == Format::Vhd.name() && is_guests_own(&verdict);
        if may_be_fixed_vhd {
            return None;
        }
        self.decide(declared, &verdict).err()
    }

    /// Returns whether data must match its declared format.
    fn is_strict(&self) -> bool {
        self.require_image_format_match && !self.allow_mismatch
    }

    /// Decides on a mismatch: refused, or accepted without a size if it is at least safe.
    fn forgive(
        &self,
        declared: Declared<'_>,
        offenders: &[&Finding],
        message: String,
    ) -> Result<Acceptance, Refusal> {
        if self.is_strict() {
            return Err(Refusal {
                reason: Reason::Mismatch,
                message,
                offset: offenders.first().map(|found| found.offset),
            });
        }
        self.judge(declared, offenders, None, vec![message])
    }

    /// Accepts the data unless it has an offence.
    fn judge(
        &self,
        declared: Declared<'_>,
        offenders: &[&Finding],
        virtual_size: Option<u64>,
        mut warnings: Vec<String>,
    ) -> Result<Acceptance, Refusal> {
        let mut is_sound = true;
        for offence in offenders.iter().flat_map(|found| &found.offences) {
            let reason = match offence.weight {
                Weight::Unsafe if !self.is_forgiven(declared, offence) => Reason::Unsafe,
                Weight::Malformed if self.is_strict() => Reason::Malformed,
                Weight::Unsafe => {
                    warnings.push(offence.to_string());
                    continue;
                }
                Weight::Malformed => {
                    warnings.push(offence.to_string());
                    is_sound = false;
                    continue;
                }
            };
            let sentence = match reason {
                Reason::Unsafe => "Image failed safety checks",
                Reason::Mismatch | Reason::Malformed => "Image format inspection failed",
            };
            return Err(Refusal {
                reason,
                message: format!("{sentence}: {offence}"),
                offset: Some(offence.offset),
            });
        }
        Ok(Acceptance {
            virtual_size: virtual_size.filter(|_| is_sound),
            warnings,
        })
    }

    /// Returns whether an offence is ignored: kernels and ramdisks may have an intentionally invalid boot
    /// record.
    fn is_forgiven(&self, declared: Declared<'_>, offence: &Offence) -> bool {
        let is_named = self
            .gpt_safety_checks_nonfatal
            .iter()
            .any(|name| name == offence.check);
        let is_kernel = matches!(declared.disk_format, "aki" | "ari");
        offence.format == Format::Gpt && (is_named || (is_kernel && offence.check == "mbr"))
    }
}

/// Returns the reference implementation's sentence for data of several formats, whose order varies there.
fn several(verdict: &Verdict) -> String {
    let names: Vec<&str> = verdict
        .findings
        .iter()
        .map(|found| found.format.name())
        .collect();
    format!("Multiple formats detected: {}", names.join(","))
}

/// Returns whether data of a declared format needs no signature: formats that cannot be detected, and
/// `ploop`, which the reference implementation does not know either.
fn may_be_unmarked(disk_format: &str) -> bool {
    Format::from_name(disk_format).is_none_or(|format| format == Format::Ploop)
}

/// Returns the findings whose offences count.
fn offenders<'a>(detected: &Detected, verdict: &'a Verdict) -> Vec<&'a Finding> {
    match detected {
        Detected::One(format) => verdict.finding(*format).into_iter().collect(),
        Detected::Several(_) => verdict.findings.iter().collect(),
    }
}

/// Returns whether the beginning of the data may belong to a guest's disk.
fn is_guests_own(verdict: &Verdict) -> bool {
    matches!(verdict.detected(), Detected::One(Format::Raw | Format::Gpt))
}

/// Returns the fixed VHD that the data is, if it is declared one.
///
/// The reference implementation checks only the beginning, takes the guest's data there for the format, and
/// refuses these images. Here they are accepted as declared.
fn fixed_vhd<'a>(declared: Declared<'_>, verdict: &'a Verdict) -> Option<&'a Finding> {
    let disk = verdict.fixed_vhd.as_ref()?;
    (declared.disk_format == Format::Vhd.name() && is_guests_own(verdict)).then_some(disk)
}
