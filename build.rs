//! How the programs are linked.

use std::env;
use std::process::Command;

/// The first glibc whose loader reads packed relocations.
const PACKED: (u32, u32) = (2, 36);

/// Packs the relocations of release builds where this machine's loader can read them: they are a tenth
/// of what a program that starts would read of its file.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let native = variable("HOST") == variable("TARGET");
    let gnu =
        variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    if native && gnu && variable("PROFILE") == "release" && glibc().is_some_and(|own| own >= PACKED)
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("ldd").arg("--version").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let version = told.lines().next()?.split_whitespace().last()?;
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
