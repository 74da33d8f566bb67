//! `glance-scrubber`.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance_tools::cli::main(glance_tools::cli::Program::Scrubber)
}
