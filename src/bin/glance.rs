//! All programs: `glance`, and those that it is called by the name of.

use std::process::ExitCode;

fn main() -> ExitCode {
    glance_tools::cli::main()
}
