//! `glance-api`, which is a part of `glance`.

use std::process::ExitCode;

mod launcher;

fn main() -> ExitCode {
    launcher::start("glance-api", &[])
}
