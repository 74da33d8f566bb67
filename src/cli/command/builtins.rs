//! Built-in commands, such as `help`. They work without a deployment and are not in the command table.

use super::grammar::Grammar;

/// A built-in command, such as `help`. It works without a deployment and is not in the command table.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The name.
    pub name: &'static str,
    /// A hidden second spelling; empty if there is none.
    pub alias: &'static str,
    /// The grammar whose program lists the command; `None` for both.
    pub grammar: Option<Grammar>,
    /// Whether upstream lacks the command; omitted from listings that must match upstream's.
    pub is_extension: bool,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// The arguments in the usage line, in the first and in the second grammar.
    pub(super) usage: [&'static str; 2],
    /// The positional arguments, each with its help.
    pub positional: &'static [(&'static str, &'static str)],
    /// The options, each with its help.
    pub options: &'static [(&'static str, &'static str)],
}

/// The built-in commands, sorted by name.
pub const BUILTINS: [Builtin; 5] = [
    Builtin {
        name: "bash-completion",
        alias: "bash_completion",
        grammar: Some(Grammar::Glance),
        is_extension: false,
        about: "Print all commands and options, for shell completion",
        usage: ["", ""],
        positional: &[],
        options: &[],
    },
    Builtin {
        name: "complete",
        alias: "",
        grammar: Some(Grammar::Openstack),
        is_extension: false,
        about: "Print a shell completion script",
        usage: ["[--name <command_name>] [--shell <shell>]"; 2],
        positional: &[],
        options: &[
            (
                "--name <command_name>",
                "Command to complete; default: the program's name",
            ),
            (
                "--shell <shell>",
                "bash, or none for the completion data alone; default: bash",
            ),
        ],
    },
    Builtin {
        name: "completion",
        alias: "",
        grammar: Some(Grammar::Glance),
        is_extension: true,
        about: "Print the completion script of a shell",
        usage: ["[--name <command_name>] <shell>"; 2],
        positional: &[("<shell>", "bash, elvish, fish, powershell or zsh")],
        options: &[(
            "--name <command_name>",
            "Command to complete, such as openstack, of which only the commands of images are; default: all programs \
             of this project",
        )],
    },
    Builtin {
        name: "help",
        alias: "",
        grammar: None,
        is_extension: false,
        about: "Show help for a program, a command or a topic",
        usage: ["[<subcommand>]", "[cmd ...]"],
        positional: &[("<subcommand>", "Command or topic to show help for")],
        options: &[],
    },
    Builtin {
        name: "version",
        alias: "",
        grammar: None,
        is_extension: true,
        about: "Show the version, and the commit it was built from",
        usage: ["[--json]"; 2],
        positional: &[],
        options: &[(
            "--json",
            "Print a JSON object: name, version, commit, date, target, rustc",
        )],
    },
];

/// Returns the built-in commands listed by a program that has the commands of `grammars`.
pub fn builtins(grammars: &[Grammar]) -> impl Iterator<Item = &'static Builtin> {
    BUILTINS.iter().filter(|builtin| {
        let of = builtin.grammar;
        of.is_none_or(|of| grammars.contains(&of))
    })
}

/// Returns the built-in command named `word`.
pub fn builtin(word: &str) -> Option<&'static Builtin> {
    BUILTINS
        .iter()
        .find(|builtin| builtin.name == word || !word.is_empty() && builtin.alias == word)
}
