//! The terminal that standard output may be.

use std::io::IsTerminal;

use crate::cli::command::help::UNLIMITED;

/// The width of help texts at most, in cells. Longer lines are hard to read.
const WIDEST_HELP: usize = 100;

/// Returns whether standard output is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns the width of the terminal in cells; None if standard output is none.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Returns the width to which help texts are wrapped, in cells.
pub fn help_width() -> usize {
    width().map_or(UNLIMITED, |width| width.min(WIDEST_HELP))
}
