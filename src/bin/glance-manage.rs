//! `glance-manage`, which is a part of `glance`.

use std::process::ExitCode;

#[path = "../launcher.rs"]
mod launcher;

fn main() -> ExitCode {
    launcher::start("glance-manage", &[])
}
