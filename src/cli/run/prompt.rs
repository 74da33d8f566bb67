//! Questions to the user: secrets, confirmation.

use std::io::{IsTerminal, Write};

use super::signals::at_prompt;
use super::ui::notice;
use crate::output::StandardOutput;
use crate::remote::auth::Prompt;
use crate::{Error, Result};

/// The user's terminal, for prompting for secrets.
pub struct Terminal;

impl Prompt for Terminal {
    fn secret(&self, what: &str) -> Result<Option<String>> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        let asked = at_prompt(|| {
            dialoguer::Password::new()
                .with_prompt(what)
                .allow_empty_password(true)
                .interact()
        });
        match asked {
            Ok(secret) => Ok(Some(secret).filter(|secret| !secret.is_empty())),
            Err(e) => Err(Error::failed("cannot read from the terminal").because(e)),
        }
    }

    fn tell(&self, line: &str) {
        notice(line);
    }
}

/// Asks for confirmation: at a terminal, or like Python's `input` on any other standard input.
///
/// # Errors
/// `Failed` if nothing can be read.
pub fn confirm(question: &str) -> Result<bool> {
    let unreadable = |e| Error::failed("cannot read from the terminal").because(e);
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let asked = dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false);
        return at_prompt(|| asked.interact()).map_err(unreadable);
    }
    let mut out = StandardOutput::open()?;
    let asked = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    asked.map_err(|e| Error::io("write to", "standard output", e))?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.map_err(|e| Error::io("read", "standard input", e))? == 0 {
        return Err(Error::failed("EOF when reading a line"));
    }
    let answer = answer.trim_end_matches(['\r', '\n']).to_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}
