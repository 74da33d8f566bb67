//! Faults of disks, and sudden ends, at every I/O call of everything that changes a deployment.
//!
//! `support::tracer` follows the system calls of a command, `operations` lists the commands, `checks` says what MUST
//! be true afterwards, `injection` makes calls fail and kills processes, and `power` replays on the model of
//! a disk (`disk`) what would be left if the power had failed.
//!
//! A sample runs with the other tests. The whole walks take long:
//!
//! ```text
//! cargo nextest run --run-ignored all --no-capture every_call_of_every_operation_failing
//! cargo nextest run --run-ignored all --no-capture every_cut_of_every_operation
//! ```
//!
//! `GLANCE_FAULTS` picks what these two try: an operation (or all whose names begin so, `import*`), and then a
//! fault or the beginning of a policy, and then a call or the number of a change, which are the first words of
//! the lines of their reports:
//!
//! ```text
//! GLANCE_FAULTS='upload enospc fsync:data/glance.db-wal:2'
//! GLANCE_FAULTS='upload strict 46'
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a walk tells what it finds as it goes"
)]

mod checks;
mod deployment;
mod disk;
mod harness;
mod injection;
mod operations;
mod power;
mod syncs;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use checks::Bench;
use injection::{Choice, FAULTS, Fault, Report, told, walk};
use operations::Operation;

use crate::support::tracer::is_skipped;

/// What `GLANCE_FAULTS` picks.
struct Pick {
    words: Vec<String>,
}

impl Pick {
    fn read() -> Self {
        let text = std::env::var("GLANCE_FAULTS").unwrap_or_default();
        Self {
            words: text.split_whitespace().map(str::to_string).collect(),
        }
    }

    fn operations(&self) -> Vec<Operation> {
        let mut table = operations::table();
        if let Some(name) = self.words.first() {
            table.retain(|operation| match name.strip_suffix('*') {
                Some(beginning) => operation.name.starts_with(beginning),
                None => operation.name == name,
            });
            assert!(!table.is_empty(), "there is no operation {name}");
        }
        table
    }

    fn fault(&self) -> Option<Fault> {
        let name = self.words.get(1)?;
        let found = FAULTS.into_iter().find(|fault| fault.to_string() == *name);
        assert!(found.is_some(), "there is no fault {name}");
        found
    }

    fn number(&self) -> Option<u64> {
        self.words.get(2).map(|number| number.parse().unwrap())
    }

    /// The rest: the key of a call, which may have blanks in it.
    fn key(&self) -> Option<String> {
        let key = self.words.get(2..)?.join(" ");
        (!key.is_empty()).then_some(key)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Points and cuts of each operation that are tried with the other tests.
const SAMPLE: (usize, usize) = (3, 2);

/// Chooses the sample.
const SEED: u64 = 11;

/// Tries a sample of all operations; the reports of points, and those of cuts.
fn sample() -> Result<[Vec<Report>; 2], String> {
    let table = operations::table();
    let next = AtomicUsize::new(0);
    let reports = Mutex::new([Vec::new(), Vec::new()]);
    let work = || -> Result<(), String> {
        while let Some(operation) = table.get(next.fetch_add(1, Ordering::Relaxed)) {
            let bench = match Bench::of(operation) {
                Ok(bench) => bench,
                Err(why) => {
                    let report = Report::without_fault(operation, &why);
                    reports.lock().unwrap()[0].push(report);
                    continue;
                }
            };
            let points = injection::sample(&bench, SAMPLE.0, SEED)?;
            let cuts = power::sample(&bench, SAMPLE.1, SEED)?;
            let mut reports = reports.lock().unwrap();
            reports[0].push(points);
            reports[1].push(cuts);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors()).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap())
    })?;
    Ok(reports.into_inner().unwrap())
}

#[test]
fn a_sample_of_faults_and_cuts_leaves_nothing_half_made() {
    if is_skipped() {
        return;
    }
    let began = Instant::now();
    let [points, cuts] = sample().unwrap();
    println!("{}", told(&points, began.elapsed()));
    println!("{}", told(&cuts, began.elapsed()));
    let bad: Vec<&String> = points
        .iter()
        .chain(&cuts)
        .flat_map(|report| &report.bad)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
#[ignore = "takes long: every I/O call, every fault"]
fn every_call_of_every_operation_failing() {
    if is_skipped() {
        return;
    }
    let pick = Pick::read();
    let choice = match (pick.fault(), pick.key()) {
        (Some(fault), Some(key)) => Choice::One(fault, key),
        (Some(fault), None) => Choice::Of(fault),
        _ => Choice::All,
    };
    // A command that meets a fault may wait before it tries again.
    let workers = if pick.key().is_some() {
        1
    } else {
        2 * processors()
    };
    let began = Instant::now();
    let mut reports = Vec::new();
    for operation in pick.operations() {
        let report = walk(&operation, &choice, workers).unwrap();
        println!("{}", told(std::slice::from_ref(&report), began.elapsed()));
        reports.push(report);
    }
    let text = told(&reports, began.elapsed());
    println!("{text}");
    assert!(reports.iter().all(|report| report.bad.is_empty()));
}

#[test]
#[ignore = "takes long: every change, every policy"]
fn every_cut_of_every_operation() {
    if is_skipped() {
        return;
    }
    let pick = Pick::read();
    let choice = match pick.words.get(1) {
        Some(policy) => power::Choice::One(policy.clone(), pick.number()),
        None => power::Choice::All,
    };
    let began = Instant::now();
    let mut reports = Vec::new();
    for operation in pick.operations() {
        let report = power::walk(&operation, &choice, processors()).unwrap();
        println!("{}", told(std::slice::from_ref(&report), began.elapsed()));
        reports.push(report);
    }
    println!("{}", told(&reports, began.elapsed()));
    assert!(reports.iter().all(|report| report.bad.is_empty()));
}
