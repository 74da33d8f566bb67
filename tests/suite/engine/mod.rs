//! The local engine: crashes, faults, recovery, concurrency, stores, cache, imports, quotas and removal.

mod cache;
mod concurrency;
mod crash;
mod dropped;
mod encrypted;
mod events;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod faults;
mod full_disk;
mod imports;
pub mod locations;
mod moved;
mod notifier;
mod one_file;
mod plans;
mod policies;
mod quota;
mod recovery;
mod registrations;
mod scrub;
mod trickle;
mod untold;
mod verified;
