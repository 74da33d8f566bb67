//! Makes the pictures of the documents: what `glance` shows at a terminal.
//!
//! `cargo run --example pictures` runs the commands of each picture at a real terminal, in an empty home directory, and
//! writes `docs/images/*.svg`, which are checked in. `tests/suite/house/pictures.rs` fails if they are outdated. It needs
//! `script` of util-linux.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anstyle_svg::Term;
use anyhow::{Context, ensure};

/// The width of the terminal, in cells.
const COLUMNS: u16 = 84;

/// A picture: commands and what they show.
struct Picture {
    /// The name of the file, without `.svg`.
    name: &'static str,
    /// Commands that run before, and are not shown.
    before: &'static [&'static str],
    /// Commands that are shown.
    shown: &'static [&'static str],
}

/// The pictures.
const PICTURES: [Picture; 2] = [
    Picture {
        name: "first-screen",
        before: &[],
        shown: &["glance"],
    },
    Picture {
        name: "tour",
        before: &["truncate -s 300M debian.img"],
        shown: &[
            "glance image create debian --disk-format raw --file debian.img -c name -c status",
            "glance image set debian --property os_distro=debian --tag stable",
            "glance image list -c Name -c Status",
            "glance image lst",
            "glance image show debian --human-readable -c size -c virtual_size -c tags",
            "glance image save debian --file copy.img && cmp debian.img copy.img",
        ],
    },
];

/// Returns the pictures, each with the path of its file and its content. `glance` is the program.
///
/// # Errors
/// A command that cannot be run, or fails where it should not.
pub fn all(glance: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let draw = |picture: &Picture| {
        let path = format!("docs/images/{}.svg", picture.name);
        let svg = draw(picture, glance).with_context(|| path.clone())?;
        Ok((path, svg))
    };
    PICTURES.iter().map(draw).collect()
}

fn draw(picture: &Picture, glance: &Path) -> anyhow::Result<String> {
    let home = tempfile::tempdir()?;
    for line in picture.before {
        let text = run(home.path(), glance, line)?;
        ensure!(text.is_empty(), "{line}: {text}");
    }
    let mut screen = String::new();
    for line in picture.shown {
        let text = run(home.path(), glance, line)?;
        write!(screen, "\x1b[1m$ {line}\x1b[0m\n{text}")?;
    }
    let term = Term::new().min_width_px(usize::from(COLUMNS) * 9);
    Ok(term.render_svg(&steady(&screen)))
}

/// Runs a command at a terminal, and returns what it shows.
fn run(home: &Path, glance: &Path, line: &str) -> anyhow::Result<String> {
    let programs = glance.parent().context("the program has no directory")?;
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let line = format!("stty cols {COLUMNS} rows 40 -onlcr; {line}");
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("XDG_CONFIG_DIRS", home)
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .current_dir(home)
        .stdin(std::process::Stdio::null())
        .output()
        .context("cannot run script of util-linux")?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns a text without what differs each time: progress bars that were erased, and durations.
fn steady(screen: &str) -> String {
    let mut steady = String::new();
    for line in screen.lines() {
        let line = line.rsplit_once("\r\x1b[2K").map_or(line, |(_, rest)| rest);
        let line = line.rsplit_once('\r').map_or(line, |(_, rest)| rest);
        let is_summary = line.starts_with("Saved ") || line.starts_with("Stored ");
        match line.split_once(" in ").filter(|_| is_summary) {
            Some((size, rest)) => {
                let rest = rest.split_once(" s").map_or("", |(_, rest)| rest);
                let _ = write!(steady, "{size} in 0.1 s{rest}");
            }
            None => steady.push_str(line),
        }
        steady.push('\n');
    }
    steady
}

fn main() -> anyhow::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let glance = std::env::current_exe()?;
    // Examples are built in a directory below that of the programs.
    let glance = glance
        .ancestors()
        .nth(2)
        .context("no target directory")?
        .join("glance");
    ensure!(glance.exists(), "build the program first, with cargo build");
    for (path, svg) in all(&glance)? {
        std::fs::write(top.join(&path), svg).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}
