//! The start of a program that is another name of `glance`.
//!
//! All programs are in the file `glance`, which acts as the one whose name it is called by. Cargo cannot install
//! links, so that the files of the other programs hold only this: they replace themselves with the `glance` beside
//! them. A link to `glance` under their name does the same without the extra step, and packages install that.
//!
//! This is not a part of the library: a file that used it would be as large as `glance`.

use std::env;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Replaces the process with `glance` acting as `program`, with the same process ID, arguments and environment.
///
/// A link to the program's file may have one of `other_names`, which `glance` knows as well. Returns only if
/// `glance` cannot be started: it prints the reason, and the exit code is 1.
pub fn start(program: &str, other_names: &[&str]) -> ExitCode {
    let mut words = env::args_os();
    let called = words.next().unwrap_or_default();
    let called = Path::new(&called).file_name().unwrap_or_default();
    let name = other_names.iter().find(|name| **name == called);
    let reason = match env::current_exe() {
        Ok(own) => {
            let glance = own.with_file_name("glance");
            let mut command = Command::new(&glance);
            let error = command.arg0(name.unwrap_or(&program)).args(words).exec();
            format!("cannot start {}: {error}", glance.display())
        }
        Err(error) => format!("cannot find its own file: {error}"),
    };
    // Nothing can be done if standard error is closed as well.
    let _ = writeln!(
        std::io::stderr(),
        "{program}: error: {reason}. Install glance in the same directory."
    );
    ExitCode::FAILURE
}
