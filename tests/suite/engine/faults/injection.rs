//! Every I/O call of every operation fails, or is the last one before the process is killed.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::checks::Bench;
use super::operations::Operation;
use crate::support::Random;
use crate::support::tracer::{Answer, Call, Observer};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with EIO; those after it do not.
    Once,
    /// It and those after it fail with EIO, on these files.
    Broken(Files),
    /// It and those after it that need space fail with ENOSPC, on these files.
    Full(Files),
    /// The process is killed before it.
    KillBefore,
    /// The process is killed after it.
    KillAfter,
}

/// Files that fail together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    All,
    Database,
    Stores,
}

impl Files {
    fn has(self, call: &Call) -> bool {
        let is_database = |path: &Path| {
            let name = path.file_name().and_then(std::ffi::OsStr::to_str);
            name.is_some_and(|name| name.starts_with("glance.db"))
        };
        match self {
            Self::All => true,
            Self::Database => call.paths.iter().any(|path| is_database(path)),
            Self::Stores => !call.paths.iter().any(|path| is_database(path)),
        }
    }
}

/// All faults.
pub const FAULTS: [Fault; 9] = [
    Fault::Once,
    Fault::Broken(Files::All),
    Fault::Broken(Files::Database),
    Fault::Broken(Files::Stores),
    Fault::Full(Files::All),
    Fault::Full(Files::Database),
    Fault::Full(Files::Stores),
    Fault::KillBefore,
    Fault::KillAfter,
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Once => "eio-once",
            Self::Broken(Files::All) => "eio",
            Self::Broken(Files::Database) => "eio-database",
            Self::Broken(Files::Stores) => "eio-stores",
            Self::Full(Files::All) => "enospc",
            Self::Full(Files::Database) => "enospc-database",
            Self::Full(Files::Stores) => "enospc-stores",
            Self::KillBefore => "kill-before",
            Self::KillAfter => "kill-after",
        })
    }
}

impl Fault {
    /// Whether this fault begins at this call.
    fn begins_at(self, call: &Call) -> bool {
        match self {
            Self::Once | Self::KillBefore => true,
            Self::Broken(files) => files.has(call),
            Self::Full(files) => call.allocates && files.has(call),
            Self::KillAfter => call.changes,
        }
    }
}

/// A fault, and the key of the call that it begins at.
type Point = (Fault, String);

/// How long a command may take that meets an error which does not pass: longer, and it waits for what does not
/// come.
const SLOW: Duration = Duration::from_secs(30);

/// Makes a fault begin at one call.
struct Injector<'a> {
    fault: Fault,
    /// The key of that call.
    at: &'a str,
    /// The number of that call, once it came.
    begun: Option<u64>,
}

impl Observer for Injector<'_> {
    fn enter(&mut self, call: &Call) -> Answer {
        if self.begun.is_none() && call.key() == self.at {
            self.begun = Some(call.number);
        }
        let Some(begun) = self.begun else {
            return Answer::Proceed;
        };
        let is_first = call.number == begun;
        match self.fault {
            Fault::Once if is_first => Answer::Fail(Errno::EIO),
            Fault::Broken(_) if self.fault.begins_at(call) => Answer::Fail(Errno::EIO),
            Fault::Full(_) if self.fault.begins_at(call) => Answer::Fail(Errno::ENOSPC),
            Fault::KillBefore if is_first => Answer::Kill,
            _ => Answer::Proceed,
        }
    }

    fn leave(&mut self, call: &Call, _: i64) -> Answer {
        if self.fault == Fault::KillAfter && self.begun == Some(call.number) {
            return Answer::Kill;
        }
        Answer::Proceed
    }
}

/// Finds the points of an operation.
#[derive(Default)]
struct Counter {
    points: Vec<Point>,
    calls: u64,
}

impl Observer for Counter {
    fn enter(&mut self, call: &Call) -> Answer {
        self.calls = call.number;
        let begun = FAULTS.iter().filter(|fault| fault.begins_at(call));
        self.points.extend(begun.map(|fault| (*fault, call.key())));
        Answer::Proceed
    }
}

/// What was found out about an operation.
#[derive(Debug, Default)]
pub struct Report {
    pub operation: &'static str,
    /// I/O calls of a run without any fault.
    pub calls: u64,
    /// Points that were tried.
    pub points: usize,
    /// Those of them whose call did not come: threads do not do the same in every run.
    pub missed: usize,
    /// The bad states, a line each.
    pub bad: Vec<String>,
}

/// What became of a point.
enum Tried {
    Good,
    /// Its call did not come.
    Missed,
    Bad(String),
}

impl Report {
    fn add(&mut self, tried: Tried) {
        self.points += 1;
        match tried {
            Tried::Good => {}
            Tried::Missed => self.missed += 1,
            Tried::Bad(line) => self.bad.push(line),
        }
    }

    /// That of an operation that is wrong even without any fault.
    pub fn without_fault(operation: &Operation, why: &str) -> Self {
        Self {
            operation: operation.name,
            calls: 0,
            points: 1,
            missed: 0,
            bad: vec![format!("{} without any fault: {why}", operation.name)],
        }
    }
}

/// Which points of an operation are tried.
#[derive(Clone, Debug)]
pub enum Choice {
    All,
    /// So many of them, by a seed.
    Some(usize, u64),
    /// One, at the call of this key.
    One(Fault, String),
    /// Those of one fault.
    Of(Fault),
}

/// Tries points of an operation, by so many workers side by side.
pub fn walk(operation: &Operation, choice: &Choice, workers: usize) -> Result<Report, String> {
    let points = Mutex::new(None::<Vec<Point>>);
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report {
        operation: operation.name,
        ..Report::default()
    });
    let work = || -> Result<(), String> {
        let bench = match Bench::of(operation) {
            Ok(bench) => bench,
            Err(why) => {
                *report.lock().unwrap() = Report::without_fault(operation, &why);
                return Ok(());
            }
        };
        {
            let mut points = points.lock().unwrap();
            if points.is_none() {
                let (found, calls) = bench.points()?;
                report.lock().unwrap().calls = calls;
                *points = Some(chosen(found, choice));
            }
        }
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let point = points
                .lock()
                .unwrap()
                .as_ref()
                .and_then(|all| all.get(place).cloned());
            let Some((fault, at)) = point else {
                return Ok(());
            };
            let tried = bench.try_point(fault, &at)?;
            let mut report = report.lock().unwrap();
            if let Tried::Bad(line) = &tried {
                eprintln!("{line}");
            }
            report.add(tried);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap())
    })?;
    Ok(report.into_inner().unwrap())
}

/// Tries a sample of the points of an operation on a bench.
pub fn sample(bench: &Bench<'_>, count: usize, seed: u64) -> Result<Report, String> {
    let (points, calls) = bench.points()?;
    let mut report = Report {
        operation: bench.operation.name,
        calls,
        ..Report::default()
    };
    for (fault, at) in chosen(points, &Choice::Some(count, seed)) {
        report.add(bench.try_point(fault, &at)?);
    }
    Ok(report)
}

fn chosen(mut points: Vec<Point>, choice: &Choice) -> Vec<Point> {
    match choice {
        Choice::All => points,
        Choice::Of(fault) => {
            points.retain(|point| point.0 == *fault);
            points
        }
        Choice::One(fault, key) => vec![(*fault, key.clone())],
        Choice::Some(count, seed) => {
            let mut random = Random::new(*seed);
            // The first of a shuffled list.
            for place in 0..points.len().min(*count) {
                let other = place + random.below((points.len() - place) as u64) as usize;
                points.swap(place, other);
            }
            points.truncate(*count);
            points
        }
    }
}

impl Bench<'_> {
    /// Where faults can begin, and how many calls there are.
    fn points(&self) -> Result<(Vec<Point>, u64), String> {
        self.deployment.restore();
        let mut counter = Counter::default();
        let ended = self.observe(&mut counter)?;
        if !ended.is_done {
            return Err(format!("{}: traced: {}", self.operation.name, ended.stderr));
        }
        Ok((counter.points, counter.calls))
    }

    /// Tries one point.
    fn try_point(&self, fault: Fault, at: &str) -> Result<Tried, String> {
        self.deployment.restore();
        let mut injector = Injector {
            fault,
            at,
            begun: None,
        };
        let began = Instant::now();
        let ended = self.observe(&mut injector)?;
        let took = began.elapsed();
        let mut wrong = self.check(&ended);
        if took > SLOW {
            wrong.push(format!("it took {} s", took.as_secs()));
        }
        if wrong.is_empty() {
            return Ok(match injector.begun {
                Some(_) => Tried::Good,
                None => Tried::Missed,
            });
        }
        let name = self.operation.name;
        let said: Vec<&str> = ended.stderr.trim().lines().collect();
        Ok(Tried::Bad(format!(
            "{name} {fault} {at} {:?}: {} [said: {}]",
            ended.end,
            wrong.join("; "),
            said.join(" / ")
        )))
    }
}

/// A table of reports, and every bad state with the words that repeat it.
pub fn told(reports: &[Report], took: Duration) -> String {
    let mut text = String::new();
    let (mut points, mut bad) = (0, 0);
    text += &format!(
        "{:28} {:>6} {:>7} {:>7} {:>5}\n",
        "operation", "calls", "points", "missed", "bad"
    );
    for report in reports {
        text += &format!(
            "{:28} {:>6} {:>7} {:>7} {:>5}\n",
            report.operation,
            report.calls,
            report.points,
            report.missed,
            report.bad.len()
        );
        points += report.points;
        bad += report.bad.len();
    }
    let seconds = took.as_secs_f64();
    let rate = f64::from(u32::try_from(points).unwrap_or(u32::MAX)) / seconds;
    text += &format!("{points} points in {seconds:.0} s, {rate:.1} a second; {bad} bad\n");
    for line in reports.iter().flat_map(|report| &report.bad) {
        text += line;
        text.push('\n');
    }
    text
}
