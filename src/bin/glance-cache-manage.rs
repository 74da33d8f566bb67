//! `glance-cache-manage`, which is a part of `glance`, and the programs that it replaces.

use std::process::ExitCode;

mod launcher;

fn main() -> ExitCode {
    let replaced = [
        "glance-cache-pruner",
        "glance-cache-cleaner",
        "glance-cache-prefetcher",
    ];
    launcher::start("glance-cache-manage", &replaced)
}
