//! The power fails after any change that an operation makes.
//!
//! One run of an operation is recorded, call by call; the model of a disk says what a cut would leave, and
//! each such state is checked like that of a process that was killed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::libc;
use nix::unistd::Pid;

use super::checks::{Bench, Ended};
use super::disk::{Change, Disk, Inode, Policy, ROOT, Tree};
use super::injection::Report;
use super::operations::Operation;
use crate::support::Random;
use crate::support::tracer::{Answer, Call, End, Observer, flags_of};

/// Seeds of what a journal may leave at each cut.
const SEEDS: u64 = 4;

/// The policies of a cut after a change.
fn policies(number: u64) -> impl Iterator<Item = Policy> {
    let plain = [Policy::Strict, Policy::NamesOnly, Policy::Everything];
    let seeded = (1..=SEEDS).map(move |seed| Policy::Journaled(number * 100 + seed));
    plain.into_iter().chain(seeded)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict => f.write_str("strict"),
            Self::NamesOnly => f.write_str("names-only"),
            Self::Everything => f.write_str("everything"),
            Self::Journaled(seed) => write!(f, "journaled-{seed}"),
        }
    }
}

/// What a cut leaves.
struct Cut {
    policy: Policy,
    /// The change that it comes after, from 1.
    number: u64,
    /// The key of that call.
    call: String,
    /// Whether the command had said by then that it succeeded.
    is_done: bool,
    tree: Tree,
}

/// Carries out on a model what a command does.
struct Recorder {
    root: PathBuf,
    disk: Disk,
    /// The inodes of the model, by those of the system.
    known: HashMap<(u64, u64), Inode>,
    /// Files that threads are about to make, and whether there is one of that name.
    is_there: HashMap<Pid, bool>,
    seen: HashSet<u64>,
    cuts: Vec<Cut>,
    changes: u64,
    last: String,
    /// Calls that the model does not know.
    unknown: Vec<String>,
}

impl Recorder {
    /// One that begins with what is below `root`.
    fn new(root: &Path) -> Self {
        let mut recorder = Self {
            root: root.to_path_buf(),
            disk: Disk::new(),
            known: HashMap::new(),
            is_there: HashMap::new(),
            seen: HashSet::new(),
            cuts: Vec::new(),
            changes: 0,
            last: String::new(),
            unknown: Vec::new(),
        };
        let metadata = fs::metadata(root).unwrap();
        recorder.known.insert(identity(&metadata), ROOT);
        recorder.read(root, ROOT);
        recorder.disk.settle();
        let first = recorder.disk.after_cut(Policy::Everything).fingerprint();
        recorder.seen.insert(first);
        recorder
    }

    fn read(&mut self, path: &Path, directory: Inode) {
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let inode = self.add(&metadata);
            let name = entry.file_name().into_string().unwrap();
            self.disk.apply(Change::Link {
                inode,
                directory,
                name,
            });
            if metadata.is_dir() {
                self.read(&entry.path(), inode);
            } else {
                let data = fs::read(entry.path()).unwrap();
                self.disk.apply(Change::Write {
                    file: inode,
                    offset: 0,
                    data: data.into(),
                });
            }
        }
    }

    /// Adds what the system has made.
    fn add(&mut self, metadata: &Metadata) -> Inode {
        let inode = if metadata.is_dir() {
            self.disk.add_directory()
        } else {
            self.disk.add_file(metadata.permissions().mode() & 0o7777)
        };
        self.known.insert(identity(metadata), inode);
        inode
    }

    /// The directory and the name of a path below the root.
    fn place(&self, path: &Path) -> Option<(Inode, String)> {
        let relative = path.strip_prefix(&self.root).ok()?;
        let directory = self.disk.find_path(relative.parent()?)?;
        Some((directory, relative.file_name()?.to_str()?.to_string()))
    }

    fn inode_of(&self, path: &Path) -> Option<Inode> {
        let metadata = fs::metadata(path).ok()?;
        self.known.get(&identity(&metadata)).copied()
    }

    /// Carries out a call that succeeded; None where the model cannot.
    fn carry_out(&mut self, call: &Call, result: i64) -> Option<()> {
        let count = result.cast_unsigned();
        match call.name {
            "open" | "openat" | "openat2" | "creat" => self.open(call, result)?,
            "write" | "writev" | "sendfile" => {
                let offset = call.position(0)?.checked_sub(count)?;
                self.write(call, 0, offset, count)?;
            }
            "pwrite64" | "pwritev" | "pwritev2" => {
                self.write(call, 0, call.arguments[3], count)?;
            }
            "copy_file_range" => {
                let end = match call.arguments[3] {
                    0 => call.position(2)?,
                    address => call.number_at(address)?,
                };
                self.write(call, 2, end.checked_sub(count)?, count)?;
            }
            "ioctl" => {
                let length = fs::metadata(call.descriptor(0)).ok()?.len();
                self.write(call, 0, 0, length)?;
            }
            "ftruncate" | "truncate" => {
                let file = match call.name {
                    "ftruncate" => self.inode_of(&call.descriptor(0))?,
                    _ => self.inode_of(call.paths.first()?)?,
                };
                let length = call.arguments[1];
                self.disk.apply(Change::SetLength { file, length });
            }
            "fallocate" => {
                let file = self.inode_of(&call.descriptor(0))?;
                let [_, mode, offset, length, ..] = call.arguments;
                let mode = mode as i32;
                if mode & libc::FALLOC_FL_PUNCH_HOLE != 0 {
                    self.write(call, 0, offset, length)?;
                } else if mode & libc::FALLOC_FL_KEEP_SIZE == 0 {
                    let length = fs::metadata(call.descriptor(0)).ok()?.len();
                    self.disk.apply(Change::SetLength { file, length });
                }
            }
            "fsync" | "fdatasync" => {
                let inode = self.inode_of(&call.descriptor(0))?;
                self.disk.apply(Change::Sync { inode });
            }
            "syncfs" => self.disk.apply(Change::SyncAll),
            "rename" | "renameat" | "renameat2" => {
                let [from, to] = &call.paths[..] else {
                    return None;
                };
                let flags = match call.name {
                    "renameat2" => call.arguments[4],
                    _ => 0,
                };
                let (from, to) = (self.place(from)?, self.place(to)?);
                self.disk.apply(Change::Rename {
                    from,
                    to,
                    exchange: flags & u64::from(libc::RENAME_EXCHANGE) != 0,
                });
            }
            "link" | "linkat" => {
                let path = call.paths.last()?;
                let (directory, name) = self.place(path)?;
                let inode = self.inode_of(path)?;
                self.disk.apply(Change::Link {
                    inode,
                    directory,
                    name,
                });
            }
            "unlink" | "unlinkat" | "rmdir" => {
                let (directory, name) = self.place(call.paths.first()?)?;
                self.disk.apply(Change::Unlink { directory, name });
            }
            "mkdir" | "mkdirat" => self.make(call.paths.first()?)?,
            "chmod" | "fchmodat" | "fchmodat2" | "fchmod" => {
                let path = call.paths.first()?;
                let metadata = match call.name {
                    "fchmod" => fs::metadata(call.descriptor(0)).ok()?,
                    _ => fs::metadata(path).ok()?,
                };
                let inode = self.known.get(&identity(&metadata)).copied()?;
                self.disk
                    .set_mode(inode, metadata.permissions().mode() & 0o7777);
            }
            "chown" | "lchown" | "fchown" | "fchownat" | "utimensat" | "sync_file_range" => {}
            _ => return None,
        }
        Some(())
    }

    fn open(&mut self, call: &Call, result: i64) -> Option<()> {
        let flags = flags_of(call)?;
        let was_there = self.is_there.remove(&call.thread).unwrap_or(true);
        let opened = PathBuf::from(format!("/proc/{}/fd/{result}", call.thread));
        if flags & libc::O_TMPFILE == libc::O_TMPFILE {
            let metadata = fs::metadata(&opened).ok()?;
            self.add(&metadata);
        } else if flags & libc::O_CREAT != 0 && !was_there {
            self.make(call.paths.first()?)?;
        } else if flags & libc::O_TRUNC != 0 {
            let file = self.inode_of(&opened)?;
            self.disk.apply(Change::SetLength { file, length: 0 });
        }
        Some(())
    }

    /// Adds a file or directory that has just got its name.
    fn make(&mut self, path: &Path) -> Option<()> {
        let (directory, name) = self.place(path)?;
        let metadata = fs::metadata(path).ok()?;
        let inode = self.add(&metadata);
        self.disk.apply(Change::Link {
            inode,
            directory,
            name,
        });
        Some(())
    }

    /// Takes over what is in a file now, where something was written.
    fn write(&mut self, call: &Call, argument: usize, offset: u64, count: u64) -> Option<()> {
        let path = call.descriptor(argument);
        let file = self.inode_of(&path)?;
        let mut data = vec![0; usize::try_from(count).ok()?];
        File::open(path)
            .ok()?
            .read_exact_at(&mut data, offset)
            .ok()?;
        self.disk.apply(Change::Write {
            file,
            offset,
            data: data.into(),
        });
        Some(())
    }

    /// Notes what the cuts at this moment leave, if that was not seen before.
    fn cut(&mut self, is_done: bool) {
        for policy in policies(self.changes) {
            let tree = self.disk.after_cut(policy);
            // What is left in the end is held to more.
            if self.seen.insert(tree.fingerprint() ^ u64::from(is_done)) {
                self.cuts.push(Cut {
                    policy,
                    number: self.changes,
                    call: self.last.clone(),
                    is_done,
                    tree,
                });
            }
        }
    }
}

impl Observer for Recorder {
    fn enter(&mut self, call: &Call) -> Answer {
        if flags_of(call).is_some() {
            let is_there = call.paths.first().is_some_and(|path| path.exists());
            self.is_there.insert(call.thread, is_there);
        }
        Answer::Proceed
    }

    fn leave(&mut self, call: &Call, result: i64) -> Answer {
        if call.changes && result >= 0 {
            self.changes += 1;
            self.last = call.key();
            if self.carry_out(call, result).is_none() {
                self.unknown.push(self.last.clone());
            }
            self.cut(false);
        }
        Answer::Proceed
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Which cuts of an operation are tried.
#[derive(Clone, Debug)]
pub enum Choice {
    All,
    /// So many of them, by a seed; and those after its end.
    Some(usize, u64),
    /// Those of one policy, after one change.
    One(String, Option<u64>),
}

/// Tries cuts of an operation, by so many workers side by side.
pub fn walk(operation: &Operation, choice: &Choice, workers: usize) -> Result<Report, String> {
    let report = Mutex::new(Report {
        operation: operation.name,
        ..Report::default()
    });
    // Each records a run of its own: the addresses in the database are those of its directory.
    let work = |worker: usize| -> Result<(), String> {
        let bench = match Bench::of(operation) {
            Ok(bench) => bench,
            Err(why) => {
                *report.lock().unwrap() = Report::without_fault(operation, &why);
                return Ok(());
            }
        };
        let recorder = record(&bench)?;
        let cuts = chosen(recorder.cuts, choice);
        report.lock().unwrap().calls = recorder.changes;
        for cut in cuts.iter().skip(worker).step_by(workers) {
            let bad = try_cut(&bench, cut);
            let mut report = report.lock().unwrap();
            report.points += 1;
            if let Some(line) = &bad {
                eprintln!("{line}");
            }
            report.bad.extend(bad);
        }
        Ok(())
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap())
    })?;
    Ok(report.into_inner().unwrap())
}

/// Tries a sample of the cuts of an operation on a bench.
pub fn sample(bench: &Bench<'_>, count: usize, seed: u64) -> Result<Report, String> {
    let recorder = record(bench)?;
    let mut report = Report {
        operation: bench.operation.name,
        calls: recorder.changes,
        ..Report::default()
    };
    for cut in &chosen(recorder.cuts, &Choice::Some(count, seed)) {
        report.points += 1;
        report.bad.extend(try_cut(bench, cut));
    }
    Ok(report)
}

/// Records a run of an operation.
fn record(bench: &Bench<'_>) -> Result<Recorder, String> {
    bench.deployment.restore();
    let mut recorder = Recorder::new(&bench.deployment.root());
    let ended = bench.observe(&mut recorder)?;
    let name = bench.operation.name;
    if !ended.is_done {
        return Err(format!("{name}: traced: {}", ended.stderr));
    }
    recorder.last = "its end".to_string();
    recorder.cut(true);
    if !recorder.unknown.is_empty() {
        let unknown = &recorder.unknown;
        return Err(format!(
            "{name}: calls that the model does not know: {unknown:?}"
        ));
    }
    Ok(recorder)
}

/// Tries one cut; what was bad, if anything.
fn try_cut(bench: &Bench<'_>, cut: &Cut) -> Option<String> {
    cut.tree.write_to(&bench.deployment.root());
    let ended = Ended {
        end: End::Killed,
        stderr: String::new(),
        stdout: String::new(),
        is_done: cut.is_done && !bench.operation.is_volatile,
    };
    let wrong = bench.check(&ended);
    let (policy, number, call) = (cut.policy, cut.number, &cut.call);
    let name = bench.operation.name;
    (!wrong.is_empty()).then(|| format!("{name} {policy} {number} [{call}]: {}", wrong.join("; ")))
}

fn chosen(mut cuts: Vec<Cut>, choice: &Choice) -> Vec<Cut> {
    match choice {
        Choice::All => {}
        Choice::One(policy, number) => cuts.retain(|cut| {
            let is_policy = cut.policy.to_string().starts_with(policy.as_str());
            is_policy && number.is_none_or(|number| number == cut.number)
        }),
        Choice::Some(count, seed) => {
            let mut random = Random::new(*seed);
            while cuts.iter().filter(|cut| !cut.is_done).count() > *count {
                let place = random.below(cuts.len() as u64) as usize;
                if !cuts[place].is_done {
                    cuts.remove(place);
                }
            }
        }
    }
    cuts
}
