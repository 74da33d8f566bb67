//! The scripts of the shells. Each registers a function that calls the program.

use super::shells::Shell;
use crate::cli::command::grammar::Grammar;

/// The programs of this project.
pub const PROGRAMS: [&str; 8] = [
    "glance",
    "glance-api",
    "glance-cache-cleaner",
    "glance-cache-manage",
    "glance-cache-prefetcher",
    "glance-cache-pruner",
    "glance-manage",
    "glance-scrubber",
];

/// The commands to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// All [`PROGRAMS`].
    All,
    /// One of them.
    One(&'a str),
    /// A command of another name, which is one of the client's programs. Another completion of it stays, for other
    /// commands than those of images, if it is `openstack`.
    Named(&'a str, Grammar),
}

impl<'a> Target<'a> {
    /// Returns the target for a command named `name`, given the program that was called.
    pub fn named(name: &'a str, called: Grammar) -> Self {
        match name {
            "openstack" => Self::Named(name, Grammar::Openstack),
            _ if PROGRAMS.contains(&name) => Self::One(name),
            _ => Self::Named(name, called),
        }
    }
}

/// The expression for the program that is completed, where it is the one that is called.
const CALLED: [(Shell, &str); 5] = [
    (Shell::Bash, "${1##*/}"),
    (Shell::Elvish, "(path:base $words[0])"),
    (Shell::Fish, "(string replace -r '.*/' '' -- $program)"),
    (Shell::PowerShell, "(Split-Path -Leaf $program)"),
    (Shell::Zsh, "${words[1]:t}"),
];

/// Returns the script of a shell.
pub fn script(shell: Shell, target: Target<'_>) -> String {
    let called = CALLED.iter().find(|(known, _)| *known == shell);
    let called = called.map_or("", |(_, expression)| expression);
    let (names, program, answers) = match target {
        Target::All => (PROGRAMS.join(" "), called, "glance"),
        Target::One(name) => (name.to_string(), name, name),
        Target::Named(name, grammar) => (name.to_string(), grammar.program(), "glance"),
    };
    let is_beside = matches!(target, Target::Named(_, Grammar::Openstack));
    let template = match (shell, is_beside) {
        (Shell::Bash, false) => include_str!("scripts/bash"),
        (Shell::Bash, true) => include_str!("scripts/bash-beside"),
        (Shell::Fish, false) => include_str!("scripts/fish"),
        (Shell::Fish, true) => include_str!("scripts/fish-beside"),
        (Shell::Zsh, false) => include_str!("scripts/zsh"),
        (Shell::Zsh, true) => include_str!("scripts/zsh-beside"),
        (Shell::Elvish, _) => include_str!("scripts/elvish"),
        (Shell::PowerShell, _) => include_str!("scripts/powershell"),
    };
    let function = match target {
        Target::All => "glance",
        Target::One(name) => name,
        Target::Named(name, _) => &format!("glance_{name}"),
    };
    let function = if shell == Shell::Zsh {
        // The name of the file that it may be loaded from.
        format!("_{function}")
    } else {
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        let function = function.replace(|letter| !is_word(letter), "_");
        format!("_{function}_complete")
    };
    let names = if shell == Shell::PowerShell {
        names.replace(' ', ", ")
    } else {
        names
    };
    template
        .replace("@FUNCTION@", &function)
        .replace("@NAMES@", &names)
        .replace("@PROGRAM@", program)
        .replace("@ANSWERS@", answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::complete::shells::NAMES;

    #[test]
    fn every_shell_has_small_scripts_for_every_target() {
        for shell in NAMES {
            let shell = Shell::named(shell).unwrap();
            for target in [
                Target::All,
                Target::One("glance-manage"),
                Target::named("openstack", Grammar::Glance),
                Target::named("osc", Grammar::Openstack),
                Target::named("g", Grammar::Glance),
            ] {
                let text = script(shell, target);
                assert!(text.contains("__complete"), "{text}");
                assert!(text.lines().count() <= 50, "{text}");
                for mark in ["@NAMES@", "@PROGRAM@", "@ANSWERS@", "@FUNCTION@"] {
                    assert!(!text.contains(mark), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_name_of_another_program_is_completed_beside_it() {
        assert_eq!(
            Target::named("glance-manage", Grammar::Glance),
            Target::One("glance-manage")
        );
        let openstack = script(Shell::Bash, Target::named("openstack", Grammar::Glance));
        assert!(
            openstack.contains("glance __complete bash openstack"),
            "{openstack}"
        );
        assert!(openstack.contains("complete -F _glance_openstack_complete openstack\n"));
        assert!(
            !openstack.contains("\n_openstack()"),
            "the other one has this function"
        );
        let zsh = script(Shell::Zsh, Target::named("openstack", Grammar::Glance));
        assert!(
            !zsh.contains("#compdef"),
            "zsh would load it in place of the other one"
        );
    }
}
