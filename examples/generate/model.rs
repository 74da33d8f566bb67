//! The programs as users see them, from the command table and the parsers.

use std::collections::BTreeSet;

use clap::{Arg, ArgAction, Command, ValueHint};
use glance_tools::cli::command::builtins::{Builtin, builtins};
use glance_tools::cli::command::grammar::{Grammar, Row};
use glance_tools::cli::command::parser::leaf;
use glance_tools::cli::command::registry::Output;
use glance_tools::cli::command::topics::TOPICS;
use glance_tools::cli::{api, cache_manage, manage, scrubber};

/// The heading under which the parsers put cliff's formatter options.
const FORMATTERS: &str = "output formatters";

/// A program.
pub struct Program {
    /// The name.
    pub name: &'static str,
    /// The program's options.
    pub options: Vec<Argument>,
    /// The commands, by name.
    pub commands: Vec<Leaf>,
    /// The topics of `help` that are not commands.
    pub topics: Vec<&'static str>,
}

/// A command.
pub struct Leaf {
    /// The words: `image list`.
    pub name: String,
    /// A one-line summary without a full stop.
    pub about: String,
    /// The grammar, in programs with two grammars.
    pub grammar: Option<Grammar>,
    /// The output formats.
    pub output: Output,
    /// The arguments, without the program's options.
    pub arguments: Vec<Argument>,
}

/// The number of values of an argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None: a flag.
    Nothing,
    /// An optional value.
    OneOrNone,
    /// One value.
    One,
    /// At least one.
    Some,
    /// Any number.
    Any,
}

/// The kind of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// The path of a file.
    File,
    /// The path of a directory.
    Directory,
    /// One of these words.
    Word(Vec<String>),
}

/// An option or a positional argument.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct Argument {
    /// The names with their dashes; empty for a positional argument.
    pub names: Vec<String>,
    /// The placeholder for the value.
    pub placeholder: String,
    /// The number of values.
    pub takes: Takes,
    /// The kind of the values.
    pub value: Value,
    /// The help text.
    pub help: String,
    /// Whether the option may be repeated, and all its values count.
    pub repeated: bool,
    /// Whether the argument is required.
    pub required: bool,
    /// Whether it is an extension of upstream's programs.
    pub ours: bool,
    /// Whether only the first grammar's commands have the extension.
    pub first_only: bool,
    /// Whether it is one of cliff's formatter options.
    pub formatter: bool,
    /// The names of the options that exclude it.
    pub excludes: Vec<String>,
}

impl Argument {
    /// Returns the most descriptive name.
    pub fn name(&self) -> &str {
        let long = self.names.iter().find(|name| name.starts_with("--"));
        long.or(self.names.first()).map_or("", String::as_str)
    }

    /// Returns whether the argument is positional.
    pub fn is_positional(&self) -> bool {
        self.names.is_empty()
    }
}

/// Returns all programs.
pub fn programs() -> Vec<Program> {
    vec![
        two_grammars("glance", &[Grammar::Glance, Grammar::Openstack]),
        two_grammars("openstack", &[Grammar::Openstack]),
        api_program(),
        manage_program(),
        scrubber_program(),
        cache_manage_program(),
    ]
}

/// Returns the programs that `glance-cache-manage` replaces, under their own names. They share its manual page.
pub fn old_programs() -> Vec<Program> {
    let program = |(name, does): &(&'static str, &str)| {
        let about = cache_manage::UPKEEP.iter().find(|row| row.name == *does);
        let about = about.map_or("", |row| row.about);
        Program {
            name,
            options: tool_options(cache_manage::upkeep_command(name, about)),
            commands: Vec::new(),
            topics: Vec::new(),
        }
    };
    cache_manage::OLD_NAMES.iter().map(program).collect()
}

fn two_grammars(name: &'static str, grammars: &[Grammar]) -> Program {
    let globals = Command::new(name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(grammars[0].globals().map(|global| global.arg().hide(false)));
    let mut options = arguments(globals, |_| false);
    for option in &mut options {
        let long = option.name().trim_start_matches("--").to_string();
        option.ours = grammars[0]
            .globals()
            .any(|global| global.hidden && global.long == long);
        option.first_only = option.ours
            && !Grammar::Openstack
                .globals()
                .any(|global| global.long == long);
        option.formatter = false;
    }
    options.push(help_option());
    let mut commands: Vec<Leaf> = grammars
        .iter()
        .flat_map(|grammar| {
            grammar
                .rows()
                .into_iter()
                .map(|row| command_of(grammars[0], *grammar, row))
        })
        .collect();
    commands.extend(builtins(grammars).map(builtin_command));
    commands.sort_by(|a, b| a.name.cmp(&b.name));
    Program {
        name,
        options,
        commands,
        topics: TOPICS.iter().map(|topic| topic.name).collect(),
    }
}

/// Returns a command of the program itself.
fn builtin_command(builtin: &Builtin) -> Leaf {
    let mut command = plain_command(builtin.name, builtin.about);
    command.arguments = builtin
        .options
        .iter()
        .map(|(option, help)| {
            let (name, placeholder) = option.split_once(' ').unwrap_or((option, ""));
            let placeholder = placeholder.trim_matches(['<', '>']);
            Argument {
                names: vec![name.to_string()],
                takes: match placeholder {
                    "" => Takes::Nothing,
                    _ => Takes::One,
                },
                value: match name {
                    "--shell" => Value::Word(vec!["bash".to_string(), "none".to_string()]),
                    _ => Value::Text,
                },
                ..positional(placeholder, help)
            }
        })
        .collect();
    command
}

fn command_of(called: Grammar, grammar: Grammar, row: &'static Row) -> Leaf {
    let whole = leaf(called, grammar, row);
    let globals: BTreeSet<&str> = grammar.globals().map(|global| global.long).collect();
    let own = (row.args)(Command::new(row.name));
    let own: BTreeSet<String> = own
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .collect();
    let skip = |arg: &Arg| {
        let id = arg.get_id().as_str();
        arg.is_hide_set()
            || id == "help"
            || (globals.contains(id) && !own.contains(id) && !is_formatter(arg))
    };
    let mut arguments = arguments(whole, skip);
    if grammar == Grammar::Glance {
        arguments.iter_mut().for_each(know_words);
    }
    Leaf {
        name: row.name.to_string(),
        about: row.about.to_string(),
        grammar: Some(grammar),
        output: row.output,
        arguments,
    }
}

/// Sets the possible values of arguments that the first grammar passes to the service unchanged.
fn know_words(argument: &mut Argument) {
    if argument.value != Value::Text {
        return;
    }
    let create = Grammar::Openstack
        .find("image create")
        .map(|row| leaf(Grammar::Openstack, Grammar::Openstack, row));
    let of_create = |id: &str| {
        let create = create.as_ref()?;
        create
            .get_arguments()
            .find(|arg| arg.get_id() == id)
            .map(possible_values)
    };
    let listed = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let words = match argument.name() {
        "--disk-format" => of_create("disk_format"),
        "--container-format" => of_create("container_format"),
        "--visibility" => listed(&["public", "private", "community", "shared"]),
        _ => None,
    };
    if let Some(words) = words.filter(|words: &Vec<String>| !words.is_empty()) {
        argument.value = Value::Word(words);
    }
}

fn plain_command(name: &str, about: &str) -> Leaf {
    Leaf {
        name: name.to_string(),
        about: about.to_string(),
        grammar: None,
        output: Output::Plain,
        arguments: Vec::new(),
    }
}

fn manage_program() -> Program {
    let command = manage::command();
    let mut commands = Vec::new();
    for one_word in command.get_subcommands() {
        let category = one_word.get_name();
        if one_word.has_subcommands() {
            commands.extend(
                one_word
                    .get_subcommands()
                    .map(|action| (format!("{category} {}", action.get_name()), action)),
            );
        } else {
            commands.push((one_word.get_name().to_string(), one_word));
        }
    }
    let mut commands: Vec<Leaf> = commands
        .into_iter()
        .map(|(name, command)| {
            Leaf {
                // --data-dir, which is accepted here too, is described once; the positional words are not hidden.
                arguments: action_arguments(command),
                ..plain_command(
                    &name,
                    &command
                        .get_about()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                )
            }
        })
        .collect();
    commands.sort_by(|a, b| a.name.cmp(&b.name));
    Program {
        name: "glance-manage",
        options: tool_options(command.clone()),
        commands,
        topics: Vec::new(),
    }
}

/// Returns the arguments of an action. --data-dir, which it accepts too, is described once. The positional words,
/// which the help hides, are the values of its options.
fn action_arguments(command: &Command) -> Vec<Argument> {
    let mut all = arguments(command.clone(), |arg| {
        matches!(arg.get_id().as_str(), "data_dir" | "help")
            || arg.is_hide_set() && arg.get_id() != "action_args"
    });
    let has_options = all.iter().any(|argument| !argument.is_positional());
    all.retain(|argument| has_options || argument.placeholder != "ACTION_ARGS");
    for argument in all
        .iter_mut()
        .filter(|argument| argument.placeholder == "ACTION_ARGS")
    {
        argument.placeholder = "action_args".to_string();
        argument.help = "The values of the options by position, in their order".to_string();
    }
    all
}

fn api_program() -> Program {
    Program {
        name: api::NAME,
        options: tool_options(api::command()),
        commands: Vec::new(),
        topics: Vec::new(),
    }
}

fn scrubber_program() -> Program {
    Program {
        name: "glance-scrubber",
        options: tool_options(scrubber::command()),
        commands: Vec::new(),
        topics: Vec::new(),
    }
}

fn cache_manage_program() -> Program {
    let mut commands: Vec<Leaf> = cache_manage::COMMANDS
        .iter()
        .chain(cache_manage::UPKEEP)
        .map(|row| {
            let mut command = plain_command(row.name, row.about);
            if row.name.ends_with("-image") {
                command.arguments.push(Argument {
                    required: true,
                    ..positional("IMAGE_ID", "ID of the image")
                });
            }
            command
        })
        .collect();
    let mut help = plain_command("help", "Say how a command is called");
    help.arguments.push(positional("COMMAND", "Which one"));
    commands.push(help);
    commands.sort_by(|a, b| a.name.cmp(&b.name));
    Program {
        name: "glance-cache-manage",
        options: tool_options(cache_manage::command()),
        commands,
        topics: Vec::new(),
    }
}

fn positional(placeholder: &str, help: &str) -> Argument {
    Argument {
        names: Vec::new(),
        placeholder: placeholder.to_string(),
        takes: Takes::One,
        value: Value::Text,
        help: help.to_string(),
        repeated: false,
        required: false,
        ours: false,
        first_only: false,
        formatter: false,
        excludes: Vec::new(),
    }
}

fn help_option() -> Argument {
    Argument {
        names: vec!["-h".to_string(), "--help".to_string()],
        takes: Takes::Nothing,
        ..positional("", "Show help, of the command if there is one, and leave")
    }
}

/// Returns the options of an operator's program; its hidden ones are extensions.
fn tool_options(command: Command) -> Vec<Argument> {
    let hidden: BTreeSet<String> = command
        .get_arguments()
        .filter(|arg| arg.is_hide_set())
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect();
    let mut options = arguments(command, Arg::is_positional);
    for option in &mut options {
        option.ours = option.names.iter().any(|name| hidden.contains(name));
    }
    options
}

/// Returns the arguments of a command, without skipped ones.
fn arguments(mut command: Command, skip: impl Fn(&Arg) -> bool) -> Vec<Argument> {
    command.build();
    let shown: Vec<&Arg> = command.get_arguments().filter(|arg| !skip(arg)).collect();
    shown
        .iter()
        .map(|arg| Argument {
            excludes: excludes(&command, arg),
            ..argument(arg)
        })
        .collect()
}

fn is_formatter(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(FORMATTERS)
}

fn names(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    let aliases = aliases.into_iter().map(|alias| format!("--{alias}"));
    short.into_iter().chain(long).chain(aliases).collect()
}

fn excludes(command: &Command, arg: &Arg) -> Vec<String> {
    let mut ids: BTreeSet<String> = command
        .get_arg_conflicts_with(arg)
        .into_iter()
        .map(|other| other.get_id().to_string())
        .collect();
    for group in command.get_groups() {
        let mut group = group.clone();
        if !group.is_multiple() && group.get_args().any(|id| id == arg.get_id()) {
            ids.extend(group.get_args().map(ToString::to_string));
        }
    }
    let others = command.get_arguments().filter(|other| {
        let named = |one: &Arg, two: &Arg| {
            command
                .get_arg_conflicts_with(one)
                .iter()
                .any(|conflict| conflict.get_id() == two.get_id())
        };
        ids.contains(other.get_id().as_str()) || named(other, arg)
    });
    others
        .filter(|other| {
            other.get_id() != arg.get_id() && !other.is_hide_set() && !other.is_positional()
        })
        .flat_map(names)
        .collect()
}

fn possible_values(arg: &Arg) -> Vec<String> {
    let values = arg.get_possible_values();
    values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_string())
        .collect()
}

fn argument(arg: &Arg) -> Argument {
    let takes = match arg.get_num_args() {
        _ if !arg.get_action().takes_values() => Takes::Nothing,
        Some(range) => match (range.min_values(), range.max_values()) {
            (0, 1) => Takes::OneOrNone,
            (0, _) => Takes::Any,
            (1, 1) => Takes::One,
            _ => Takes::Some,
        },
        None => Takes::One,
    };
    let placeholder = match arg.get_value_names() {
        Some(names) => names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        None => arg.get_id().as_str().to_uppercase(),
    };
    let mut words = if takes == Takes::Nothing {
        Vec::new()
    } else {
        possible_values(arg)
    };
    if words.is_empty() && placeholder.contains('|') && !placeholder.contains(['[', '<']) {
        words = placeholder.split('|').map(ToString::to_string).collect();
    }
    let named = placeholder.to_lowercase();
    let value = match arg.get_value_hint() {
        _ if takes == Takes::Nothing => Value::Text,
        _ if !words.is_empty() => Value::Word(words),
        _ if matches!(named.as_str(), "dir" | "log_dir") => Value::Directory,
        ValueHint::DirPath => Value::Directory,
        ValueHint::AnyPath | ValueHint::FilePath => Value::File,
        _ if matches!(named.as_str(), "file" | "path" | "filename") || named.contains("-file") => {
            Value::File
        }
        _ if matches!(
            named.as_str(),
            "certificate" | "ca-certificate" | "key" | "log_file"
        ) =>
        {
            Value::File
        }
        _ => Value::Text,
    };
    Argument {
        names: names(arg),
        takes,
        value,
        repeated: matches!(arg.get_action(), ArgAction::Append | ArgAction::Count),
        required: arg.is_required_set(),
        formatter: is_formatter(arg),
        ..positional(
            &placeholder,
            &arg.get_help().map(ToString::to_string).unwrap_or_default(),
        )
    }
}
