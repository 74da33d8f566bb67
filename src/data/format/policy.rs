//! Whether data may become the data of an image, and which virtual size the catalogue keeps of it.
//!
//! What the reference implementation does on upload (`set_data` of glance 33's `location.py`; it always reads
//! the whole stream first, because it passes no expected format to the inspector):
//!
//! 1. Only `container_format` bare is looked at. Anything else is stored unseen, without a virtual size.
//! 2. Several formats at once are refused ("Multiple formats detected"), but for iso with gpt, which is iso.
//! 3. The detected format is the declared one: its virtual size is kept, where it is not zero.
//! 4. Nothing is detected (raw) and the declared format is none that could be (ami, ari, aki, ploop, …):
//!    accepted without a virtual size. So is a Parallels image that is declared ploop, which only ours detects.
//! 5. Anything at all is declared raw: accepted, and the virtual size is the size of the data. So a partition
//!    table, a QCOW2 image or a CD may be called raw; but a CD with a partition table may not (there the
//!    reference implementation trips over its own log message, which asks for the one format again).
//! 6. Everything else is refused: "Image disk_format X does not match stream data Y". Note that an `ami` or
//!    `aki` that is recognised as something is refused too.
//! 7. Then, in every accepted case, the safety checks of the *detected* format must pass: a QCOW2 image with a
//!    backing file is refused though it is called raw. Failures of checks that are named in
//!    `gpt_safety_checks_nonfatal` are forgiven to gpt, those of `mbr` to anything declared aki or ari.
//! 8. An empty stream is raw of zero bytes, so it has no virtual size.
//!
//! With `require_image_format_match` off, 2 and 6 (and a header that is cut short) are forgiven, and no virtual
//! size is kept. There the reference implementation skips step 7; here it stands.

use super::{Detected, Finding, Format, Inspector, Offence, Verdict, Weight};

/// What somebody says the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// `ami`, `ari`, `aki`, `vhd`, `vhdx`, `vmdk`, `raw`, `qcow2`, `vdi`, `iso`, `ploop`, `luks`, or whatever else is
    /// configured.
    pub disk_format: &'a str,
    /// `bare`, `ovf`, `ova`, `docker`, …
    pub container_format: &'a str,
}

impl Declared<'_> {
    /// Whether the data is looked at at all: only what is in no container.
    pub fn is_inspected(self) -> bool {
        self.container_format == "bare"
    }
}

/// What is demanded of data; the defaults are the reference implementation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `[image_format] require_image_format_match`: data must be what it is declared to be. Default true.
    pub require_image_format_match: bool,
    /// The caller asked to let a mismatch pass, this once. Default false.
    pub allow_mismatch: bool,
    /// `[image_format] gpt_safety_checks_nonfatal`: names of checks that are forgiven to partition tables.
    /// Default none.
    pub gpt_safety_checks_nonfatal: Vec<String>,
    /// Data that is declared raw must carry the marks of no format but a partition table, as before a
    /// conversion: no program may be told to read a QCOW2 image as raw, and to hand it on as such. Default
    /// false.
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

/// Data that is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// Size in bytes that the catalogue keeps; None where it keeps none. Never zero, never above 2^63 − 1.
    pub virtual_size: Option<u64>,
    /// What was forgiven or is odd, a lowercase fragment each.
    pub warnings: Vec<String>,
}

/// Why data is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not what it is declared to be, or is several things at once.
    Mismatch,
    /// It is broken.
    Malformed,
    /// It reaches outside itself, or uses what cannot be judged.
    Unsafe,
}

/// Data that is refused; 415 over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The reference implementation's sentence; where that does not say what is wrong, followed by the
    /// offence and its byte offset.
    pub message: String,
    /// Where the offence, or the mark of the format that was not expected, stands: bytes from the beginning.
    /// None where nothing stands there: raw data.
    pub offset: Option<u64>,
}

impl Policy {
    /// Whether data that turned out to be `verdict` may be stored as what it is declared to be.
    ///
    /// # Errors
    /// The [`Refusal`], when it may not.
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
            let warning = format!("the image claims to be raw but is {format}");
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

    /// A refusal that nothing that follows in the stream can take back, as soon as there is one.
    ///
    /// Cheap enough to ask after every push; the one who reads may stop reading.
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

    /// Whether data must be what it is declared to be.
    fn is_strict(&self) -> bool {
        self.require_image_format_match && !self.allow_mismatch
    }

    /// A mismatch: refused, or accepted without a size if it is at least safe.
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

    /// Accepts unless an offence forbids it.
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

    /// Kernels and ramdisks may carry a boot record that is invalid on purpose.
    fn is_forgiven(&self, declared: Declared<'_>, offence: &Offence) -> bool {
        let is_named = self
            .gpt_safety_checks_nonfatal
            .iter()
            .any(|name| name == offence.check);
        let is_kernel = matches!(declared.disk_format, "aki" | "ari");
        offence.format == Format::Gpt && (is_named || (is_kernel && offence.check == "mbr"))
    }
}

/// The reference implementation's sentence for data that is several things, whose order varies there.
fn several(verdict: &Verdict) -> String {
    let names: Vec<&str> = verdict
        .findings
        .iter()
        .map(|found| found.format.name())
        .collect();
    format!("Multiple formats detected: {}", names.join(","))
}

/// Whether data of a declared format need not carry marks: what cannot be told at all, and `ploop`, which the
/// reference implementation does not know either.
fn may_be_unmarked(disk_format: &str) -> bool {
    Format::from_name(disk_format).is_none_or(|format| format == Format::Ploop)
}

/// The findings whose offences count.
fn offenders<'a>(detected: &Detected, verdict: &'a Verdict) -> Vec<&'a Finding> {
    match detected {
        Detected::One(format) => verdict.finding(*format).into_iter().collect(),
        Detected::Several(_) => verdict.findings.iter().collect(),
    }
}

/// Whether the beginning of the data may be that of a guest's disk.
fn is_guests_own(verdict: &Verdict) -> bool {
    matches!(verdict.detected(), Detected::One(Format::Raw | Format::Gpt))
}

/// The fixed VHD that the data is, where it is declared one.
///
/// The reference implementation looks only at the beginning, takes these for what the guest has there, and
/// refuses them; here they are what they are declared to be.
fn fixed_vhd<'a>(declared: Declared<'_>, verdict: &'a Verdict) -> Option<&'a Finding> {
    let disk = verdict.fixed_vhd.as_ref()?;
    (declared.disk_format == Format::Vhd.name() && is_guests_own(verdict)).then_some(disk)
}
