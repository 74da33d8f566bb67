//! Manual pages, with the man(7) macros that both groff and mandoc support.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use glance_tools::cli::command::grammar::Grammar;
use glance_tools::cli::command::help;
use glance_tools::cli::command::registry::Output;

use super::model::{Argument, Leaf, Program, Takes};

/// The date of the last revision of the texts below.
const DATE: &str = "2026-11-28";

/// The maximum line width of a page's source, as mandoc recommends.
const WIDTH: usize = 78;

/// The texts of a page that the parsers do not provide.
struct Words {
    name: &'static str,
    about: &'static str,
    description: &'static [&'static str],
    files: &'static [(&'static str, &'static str)],
    exit: &'static [(&'static str, &'static str)],
    examples: &'static [(&'static str, &'static str)],
    see_also: &'static [&'static str],
}

const DATA_DIRECTORY: &[(&str, &str)] = &[
    (
        "~/.local/share/glance",
        "Default data directory of a user; $XDG_DATA_HOME/glance if that variable is set.",
    ),
    (
        "DIR/glance.db",
        "SQLite database of a data directory, with the schema of the image service.",
    ),
    ("DIR/images/ID", "Data of an image."),
    (
        "DIR/glance-api.conf",
        "Configuration of a data directory; optional.",
    ),
];

const EXIT: &[(&str, &str)] = &[
    (
        "0",
        "Success, including when standard output was closed early.",
    ),
    ("1", "Failure."),
    ("2", "Usage error."),
    ("130", "Interrupted."),
];

const PAGES: [Words; 5] = [
    Words {
        name: "glance",
        about: "manage OpenStack images, with or without a server",
        description: &[
            "glance creates, lists, shows, updates, downloads and deletes virtual machine images. It works on \
             images in a local directory, without a server, or on a cloud.",
            "It understands two grammars: commands of one word, as in \"glance image-list\", are those of \
             python-glanceclient; commands of several words, as in \"glance image list\", are those of \
             openstack(1). Output is the same as upstream's.",
            "Global options are given before the command; before a command of several words, those of \
             openstack(1). The options of openstack(1) may also follow such a command, and the additional \
             options described by \"glance help cloud\", \"glance help local\" and \"glance help output\" may \
             follow any command, unabbreviated. Other long options may be abbreviated to a unique prefix.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        examples: &[
            (
                "Create an image from a file, in a directory:",
                "glance --data-dir ./images image-create --name disk --disk-format qcow2 \\\n    --container-format bare --file disk.qcow2",
            ),
            (
                "List the images as JSON:",
                "glance --data-dir ./images image-list --format json",
            ),
            (
                "The same with the commands of openstack(1):",
                "glance --data-dir ./images image list -f json",
            ),
        ],
        see_also: &[
            "openstack(1)",
            "glance-manage(1)",
            "glance-cache-manage(1)",
            "glance-scrubber(1)",
        ],
    },
    Words {
        name: "openstack",
        about: "manage OpenStack images, with or without a server",
        description: &[
            "openstack is glance(1) called by another name. It has the image commands of \
             python-openstackclient.",
            "Global options may be given before or after the command. Long options and the words of a command \
             may be abbreviated to a unique prefix.",
            "Without a command, openstack reads commands from standard input, one per line, until the end of \
             input or \"quit\". At a terminal it shows a prompt with completion. Lines that begin with # are \
             comments. Every line is run; the exit code is that of the first command that failed. Global \
             options apply to all lines.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        examples: &[
            (
                "Create an image from a file:",
                "openstack --local image create --disk-format qcow2 --file disk.qcow2 disk",
            ),
            (
                "Names and sizes of all images, for a script:",
                "openstack --local image list --long -f value -c Name -c Size",
            ),
        ],
        see_also: &["glance(1)", "glance-manage(1)"],
    },
    Words {
        name: "glance-manage",
        about: "manage the database of the image service",
        description: &[
            "glance-manage creates and upgrades the database of an image service. Without a configuration file, \
             it works on the database of the local data directory.",
            "Actions are written as two words, as in \"glance-manage db sync\"; most may be written as one word, \
             too, as in \"glance-manage db_sync\".",
        ],
        files: &[
            (
                "/etc/glance/glance-manage.conf, /etc/glance/glance-api.conf",
                "Configuration of the service if no option names one. Also searched for in ~/.glance, ~ and /etc.",
            ),
            ("DIR/glance.db", "Database of a data directory."),
        ],
        exit: &[
            ("0", "Success."),
            ("1", "Failure."),
            ("2", "Usage error."),
            (
                "3, 4, 5",
                "\"db check\": the next upgrade step is expand, migrate or contract.",
            ),
            ("130", "Interrupted."),
        ],
        examples: &[(
            "Create the database of a new data directory:",
            "glance-manage --data-dir ./images db sync",
        )],
        see_also: &["glance(1)", "glance-scrubber(1)"],
    },
    Words {
        name: "glance-scrubber",
        about: "remove the data of images pending deletion",
        description: &[
            "glance-scrubber removes the data of images with status pending_delete, and of locations that were \
             removed from images while deletion was delayed. It runs once (for cron) or, as a daemon, at \
             intervals. Without a configuration file, it works on the images of the local data directory.",
            "Several scrubbers can run at the same time, alongside the service and \"--restore\". An image whose \
             data cannot be removed is reported, keeps the status pending_delete and is tried again by the \
             next run; the exit code is 1. A summary is written to the log on standard error and, at a \
             terminal, to standard output, unless there was nothing to do.",
            "\"--restore\" checks that the data still exists, and restores the locations, properties, tags and \
             members of the image.",
        ],
        files: &[(
            "/etc/glance/glance-scrubber.conf, /etc/glance/glance-api.conf",
            "Configuration of the service if no option names one. Also searched for in ~/.glance, ~ and /etc.",
        )],
        exit: EXIT,
        examples: &[
            (
                "Show what would be removed, and its size:",
                "glance-scrubber --config-file /etc/glance/glance-api.conf --dry-run",
            ),
            (
                "Restore an image that was deleted by mistake:",
                "glance-scrubber --config-file /etc/glance/glance-api.conf --restore ID",
            ),
        ],
        see_also: &["glance(1)", "glance-manage(1)"],
    },
    Words {
        name: "glance-cache-manage",
        about: "manage the image cache of a host",
        description: &[
            "glance-cache-manage lists, fills and clears the image cache of a host. Without an address or user, it \
             works on the cache of the local data directory.",
            "The additional commands prune, clean and prefetch work on the cache directory itself, even while a \
             service uses it. Links named glance-cache-pruner, glance-cache-cleaner and \
             glance-cache-prefetcher run these commands with the options of the upstream programs.",
            "Queueing and deleting ask for confirmation, unless --force is given. If standard input is not a \
             terminal, the answer is read from it.",
        ],
        files: &[
            ("DIR/cache", "Cache of a data directory."),
            (
                "/etc/glance/glance-api.conf, /etc/glance/glance-cache.conf",
                "Configuration of the service if no option names one. Also searched for in ~/.glance, ~ and /etc.",
            ),
        ],
        exit: EXIT,
        examples: &[
            (
                "List the images in the cache of a running service:",
                "glance-cache-manage --host 127.0.0.1 list-cached",
            ),
            (
                "Show what pruning the cache of this host would remove:",
                "glance-cache-manage --config-file /etc/glance/glance-api.conf --dry-run prune",
            ),
        ],
        see_also: &["glance(1)", "glance-manage(1)"],
    },
];

/// Returns the page of a program.
pub fn page(program: &Program) -> String {
    let words = PAGES.iter().find(|words| words.name == program.name);
    let words = words.unwrap_or_else(|| panic!("no words for {}", program.name));
    let mut page = Page {
        text: String::new(),
    };
    let version = env!("CARGO_PKG_VERSION");
    page.raw(".\\\" Written by: cargo run --example generate");
    page.raw(&format!(
        ".TH {} 1 {DATE} \"glance-tools {version}\" \"User Commands\"",
        macro_word(&program.name.to_uppercase())
    ));
    page.section("NAME");
    page.raw(&format!(
        "{} \\- {}",
        escape(program.name),
        escape(words.about)
    ));
    page.section("SYNOPSIS");
    page.raw(&format!(".B {}", escape(program.name)));
    page.raw("[\\fIOPTIONS\\fR]");
    if !program.commands.is_empty() {
        page.raw("\\fICOMMAND\\fR [\\fIARGUMENTS\\fR]");
    }
    page.section("DESCRIPTION");
    page.paragraphs(words.description);
    page.section("OPTIONS");
    let [ours, theirs]: [Vec<&Argument>; 2] = [true, false].map(|ours| {
        program
            .options
            .iter()
            .filter(|option| option.ours == ours)
            .collect()
    });
    page.arguments(&theirs);
    let two_grammars = !program.topics.is_empty();
    if two_grammars {
        page.topics(program, &ours);
    } else if !ours.is_empty() {
        page.subsection("Additional options");
        page.arguments(&ours);
    }
    page.commands(program);
    page.environment(program);
    page.section("FILES");
    page.list(words.files);
    page.section("EXIT STATUS");
    page.list(words.exit);
    if !words.examples.is_empty() {
        page.section("EXAMPLES");
        for (index, (what, line)) in words.examples.iter().enumerate() {
            if index > 0 {
                page.raw(".PP");
            }
            page.words(what);
            page.raw(".RS 4\n.nf");
            for line in line.lines() {
                page.raw(&escape(line));
            }
            page.raw(".fi\n.RE");
        }
    }
    page.section("SEE ALSO");
    let others: Vec<String> = words
        .see_also
        .iter()
        .map(|page| page.trim_end_matches("(1)"))
        .map(|name| format!(".BR {} (1)", escape(name)))
        .collect();
    page.raw(&others.join(" ,\n"));
    page.text
}

/// A page under construction.
struct Page {
    text: String,
}

impl Page {
    fn raw(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.raw(&format!(".SH {}", macro_word(&title.to_uppercase())));
    }

    fn subsection(&mut self, title: &str) {
        self.raw(&format!(".SS {}", macro_word(title)));
    }

    fn paragraphs(&mut self, paragraphs: &[&str]) {
        for (index, text) in paragraphs.iter().enumerate() {
            if index > 0 {
                self.raw(".PP");
            }
            self.words(text);
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.raw(".PP");
        self.words(text);
    }

    /// Appends text, in lines of limited length.
    fn words(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            let word = escape(word);
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.raw(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            } else if word.starts_with('.') {
                line.push_str("\\&");
            }
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.raw(&line);
        }
    }

    fn list(&mut self, items: &[(&str, &str)]) {
        for (name, text) in items {
            self.raw(&format!(".TP\n.B {}", macro_word(name)));
            self.words(text);
        }
    }

    /// Writes a paragraph for each option or argument.
    fn arguments(&mut self, arguments: &[&Argument]) {
        for argument in arguments {
            self.raw(&format!(".TP\n{}", heading(argument)));
            let mut help = sentence(&argument.help);
            if argument.required && !argument.is_positional() {
                help.push_str(" Required.");
            }
            if !argument.excludes.is_empty() {
                let _ = write!(
                    help,
                    " Cannot be used with {}.",
                    argument.excludes.join(", ")
                );
            }
            if let super::model::Value::Word(words) = &argument.value {
                // Skipped if the help already lists the choices.
                if words.iter().any(|word| {
                    !argument.help.contains(word.as_str())
                        && !argument.placeholder.contains(word.as_str())
                }) {
                    let _ = write!(help, " One of {}.", words.join(", "));
                }
            }
            if help.trim().is_empty() {
                self.raw("\\&");
            }
            self.words(help.trim());
        }
    }

    /// Writes the help topics, and additional options that no topic mentions.
    fn topics(&mut self, program: &Program, ours: &[&Argument]) {
        let mut told = BTreeSet::new();
        for topic in program.topics.iter().copied() {
            // The second grammar's commands have cliff's options instead.
            if program.name == "openstack" && topic == "output" {
                continue;
            }
            let text = help::answer(Grammar::Glance, &[topic.to_string()], help::UNLIMITED)
                .unwrap_or_default();
            told.extend(
                text.split([' ', ',', '\n'])
                    .filter(|word| word.starts_with("--"))
                    .map(str::to_string),
            );
            self.topic(&text);
        }
        let untold: Vec<&Argument> = ours
            .iter()
            .filter(|option| option.names.iter().all(|name| !told.contains(name)))
            .copied()
            .collect();
        if !untold.is_empty() {
            self.section("Other additional options");
            self.arguments(&untold);
        }
        let formatters = |output| {
            program.commands.iter().find(|command| {
                command.output == output && command.grammar == Some(Grammar::Openstack)
            })
        };
        let own: Vec<&Leaf> = [Output::List, Output::Show]
            .into_iter()
            .filter_map(formatters)
            .collect();
        self.section("Output options of openstack commands");
        self.words("Commands take these options if their description says so.");
        let titles = ["Options of list commands", "Options of show commands"];
        for (title, command) in titles.into_iter().zip(own) {
            self.subsection(title);
            self.arguments(
                &command
                    .arguments
                    .iter()
                    .filter(|argument| argument.formatter)
                    .collect::<Vec<_>>(),
            );
        }
    }

    /// Writes a help topic: a title, paragraphs, and lines that begin with an option.
    fn topic(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        let title = lines.next().unwrap_or_default();
        // A parenthesis in the title becomes the first paragraph.
        self.section(title.split(" (").next().unwrap_or(title));
        if let Some((_, rest)) = title.split_once(" (") {
            self.words(&sentence(&capital(rest.trim_end_matches(')'))));
        }
        let mut listed = false;
        while let Some(line) = lines.next() {
            if line.trim().is_empty() {
                continue;
            }
            let mut text = line.trim().to_string();
            let is_item = line.starts_with("  ");
            while let Some(more) = lines.next_if(|next| {
                !next.trim().is_empty()
                    && if is_item {
                        next.starts_with("      ")
                    } else {
                        !next.starts_with(' ')
                    }
            }) {
                text.push_str(if is_item && !text.contains("  ") {
                    "  "
                } else {
                    " "
                });
                text.push_str(more.trim());
            }
            if is_item {
                let (name, about) = text.split_once("  ").unwrap_or((&text, ""));
                self.raw(&format!(".TP\n.B {}", macro_word(name)));
                match about.trim() {
                    "" => self.raw("\\&"),
                    about => self.words(&sentence(&capital(about))),
                }
            } else if listed
                || self
                    .text
                    .lines()
                    .last()
                    .is_some_and(|last| !last.starts_with(".SH"))
            {
                self.paragraph(&text);
            } else {
                self.words(&text);
            }
            listed = is_item;
        }
    }

    fn commands(&mut self, program: &Program) {
        if program.commands.is_empty() {
            return;
        }
        let of = |grammar: Option<Grammar>| {
            program
                .commands
                .iter()
                .filter(move |command| command.grammar == grammar)
        };
        let groups: &[(&str, Option<Grammar>)] = match program.name {
            "glance" => &[
                ("Commands of glance", Some(Grammar::Glance)),
                ("Commands of openstack", Some(Grammar::Openstack)),
                ("Other commands", None),
            ],
            "openstack" => &[
                ("Commands", Some(Grammar::Openstack)),
                ("Other commands", None),
            ],
            _ => &[("Commands", None)],
        };
        for (title, grammar) in groups {
            self.section(title);
            for command in of(*grammar) {
                self.command(command);
            }
        }
    }

    fn command(&mut self, command: &Leaf) {
        self.raw(&format!(".SS {}", macro_word(&command.name)));
        let own: Vec<&Argument> = command
            .arguments
            .iter()
            .filter(|argument| !argument.formatter)
            .collect();
        let (by_position, options): (Vec<&Argument>, Vec<&Argument>) =
            own.iter().partition(|one| one.is_positional());
        let mut synopsis = String::new();
        for option in options.iter().filter(|option| option.required) {
            let _ = write!(synopsis, " {}", usage(option));
        }
        if options.iter().any(|option| !option.required)
            || command.output != Output::Plain && command.grammar == Some(Grammar::Openstack)
        {
            synopsis.push_str(" [\\fIOPTIONS\\fR]");
        }
        for argument in &by_position {
            let _ = write!(synopsis, " {}", usage(argument));
        }
        if !synopsis.is_empty() {
            self.raw(&format!("\\fB{}\\fR{synopsis}", escape(&command.name)));
            self.raw(".PP");
        }
        let mut about = sentence(&command.about);
        if command.grammar == Some(Grammar::Openstack) {
            about.push_str(match command.output {
                Output::List => " Accepts the output options of list commands.",
                Output::Show => " Accepts the output options of show commands.",
                Output::Plain => "",
            });
        }
        self.words(&about);
        let told: Vec<&Argument> = by_position
            .into_iter()
            .filter(|one| !one.help.is_empty())
            .chain(options)
            .collect();
        self.arguments(&told);
    }

    /// Writes the environment variables: those that options mention, and the others.
    fn environment(&mut self, program: &Program) {
        let mut variables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let all = program.options.iter().chain(
            program
                .commands
                .iter()
                .flat_map(|command| &command.arguments),
        );
        for argument in all {
            let words: Vec<&str> = argument
                .help
                .split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',' | ';' | '='))
                .collect();
            for pair in words.windows(2) {
                let is_variable = ["OS_", "GLANCE_", "CLIFF_"]
                    .iter()
                    .any(|begin| pair[1].starts_with(begin));
                if matches!(pair[0], "env" | "else") && is_variable {
                    variables
                        .entry(pair[1].to_string())
                        .or_default()
                        .insert(argument.name().to_string());
                }
            }
        }
        let mut texts: BTreeMap<String, String> = variables
            .into_iter()
            .map(|(name, options)| {
                let options: Vec<String> = options.into_iter().collect();
                (name, format!("Default value of {}.", options.join(", ")))
            })
            .collect();
        if program.topics.is_empty() {
            texts.insert(
                "GLANCE_DATA_DIR".to_string(),
                "Default value of --data-dir.".to_string(),
            );
        } else {
            for name in ["OS_CLOUD", "OS_AUTH_URL", "OS_IMAGE_URL", "OS_ENDPOINT"] {
                let text = texts.entry(name.to_string()).or_default();
                *text = format!("{text} Selects a cloud unless a local deployment is selected.")
                    .trim()
                    .to_string();
            }
            for (name, text) in [
                (
                    "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE",
                    "CA certificate file or directory if the cloud does not set one; the first variable set is used.",
                ),
                (
                    "SSL_CERT_FILE, SSL_CERT_DIR",
                    "CA certificates that replace those of the system.",
                ),
                (
                    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
                    "Proxies, including SOCKS proxies (socks5h://), and hosts to connect to without a proxy.",
                ),
                (
                    "OS_CLIENT_CONFIG_FILE, OS_CLIENT_SECURE_FILE",
                    "Files to read instead of clouds.yaml and secure.yaml.",
                ),
            ] {
                texts.insert(name.to_string(), text.to_string());
            }
        }
        texts.insert(
            "NO_COLOR".to_string(),
            "Disables colors if set.".to_string(),
        );
        texts.insert(
            "OS_GROUP__OPTION".to_string(),
            "Configuration option, in upper case, such as OS_DEFAULT__DELAYED_DELETE. Overrides the configuration \
             files."
                .to_string(),
        );
        self.section("ENVIRONMENT");
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        self.list(&texts);
    }
}

/// Returns the names and value of an argument, as the heading of a paragraph.
fn heading(argument: &Argument) -> String {
    if argument.is_positional() {
        return format!(".I {}", macro_word(bare(&argument.placeholder)));
    }
    let names: Vec<String> = argument
        .names
        .iter()
        .map(|name| format!("\\fB{}\\fR", escape(name)))
        .collect();
    let value = match argument.takes {
        Takes::Nothing => String::new(),
        Takes::OneOrNone => format!(" [\\fI{}\\fR]", value_name(argument)),
        Takes::One => format!(" \\fI{}\\fR", value_name(argument)),
        Takes::Some => format!(" \\fI{}\\fR...", value_name(argument)),
        Takes::Any => format!(" [\\fI{}\\fR...]", value_name(argument)),
    };
    format!("{}{value}", names.join(", "))
}

/// Returns an argument as shown in a synopsis.
fn usage(argument: &Argument) -> String {
    let value = format!("\\fI{}\\fR", value_name(argument));
    if !argument.is_positional() {
        return format!("\\fB{}\\fR {value}", escape(argument.name()));
    }
    match (argument.takes, argument.required) {
        (Takes::Some, true) => format!("{value}..."),
        (Takes::Some | Takes::Any, _) => format!("[{value}...]"),
        (_, true) => value,
        (_, false) => format!("[{value}]"),
    }
}

fn value_name(argument: &Argument) -> String {
    escape(bare(&argument.placeholder))
}

/// Returns a value's name without brackets.
fn bare(name: &str) -> &str {
    name.strip_prefix('<')
        .and_then(|name| name.strip_suffix('>'))
        .unwrap_or(name)
}

/// Returns the text with a full stop at its end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '…', ']', ')']) {
        text.to_string()
    } else {
        format!("{text}.")
    }
}

/// Returns the text with an initial capital.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Escapes text for roff.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\e"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '-' => escaped.push_str("\\-"),
            '…' => escaped.push_str("..."),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns text as one argument of a macro.
fn macro_word(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\(dq"))
}
