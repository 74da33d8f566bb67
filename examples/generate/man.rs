//! Manual pages, in the man(7) macros that groff and mandoc both know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use glance_tools::cli::help;
use glance_tools::cli::registry::{Grammar, Output};

use super::model::{Argument, Leaf, Program, Takes};

/// When the sentences below were last looked through.
const DATE: &str = "2026-11-28";

/// Widest line of a page's source, as mandoc wants it.
const WIDTH: usize = 78;

/// What a page says that no parser knows.
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
        "The data directory of a user; $XDG_DATA_HOME/glance where that is set.",
    ),
    (
        "DIR/glance.db",
        "The database of a data directory: SQLite, with the schema of the image service.",
    ),
    ("DIR/images/ID", "The data of an image."),
    (
        "DIR/glance-api.conf",
        "Configuration of a data directory, read when it is there.",
    ),
];

const EXIT: &[(&str, &str)] = &[
    ("0", "Done; also when the reader of the output went away."),
    ("1", "Failed."),
    ("2", "Wrong usage."),
    ("130", "Interrupted."),
];

const PAGES: [Words; 5] = [
    Words {
        name: "glance",
        about: "manage images of OpenStack, with a server or without",
        description: &[
            "glance creates, lists, shows, changes, downloads and deletes images of virtual machines. It works \
             on images in a directory of this machine, with no server, or on a cloud.",
            "It understands two grammars: the first one's commands are of one word, as in \"glance image-list\"; \
             the second one's are those of openstack(1), as in \"glance image list\". Each prints what the \
             program it stands in for prints.",
            "Options of the program stand before the command; before one of the second grammar, those of \
             openstack(1). Those of openstack(1) may also stand after its commands, and those that \
             \"glance help cloud\", \"glance help local\" and \"glance help output\" list as ours alone after any \
             command, spelled out. Long options may be abbreviated to what only one of them begins with.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        examples: &[
            (
                "Make an image of a file, in a directory of one's own:",
                "glance --data-dir ./images image-create --name disk --disk-format qcow2 \\\n    --container-format bare --file disk.qcow2",
            ),
            (
                "List what is there, as JSON:",
                "glance --data-dir ./images image-list --format json",
            ),
            (
                "The same in the second grammar:",
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
        about: "manage images of OpenStack, with a server or without",
        description: &[
            "glance(1) called as openstack, by a link of that name: the second grammar alone, which is that of \
             the image commands of python-openstackclient.",
            "Options of the program may stand before the command or after it. Long options may be abbreviated \
             to what only one of them begins with, and so may the words of a command.",
            "Without a command, commands are read from standard input, one a line, until its end or until \
             \"quit\"; at a terminal, at a prompt that completes them. A line that begins with # is a comment. \
             Every line is run, and the exit code is that of the first command that failed. The options of the \
             program count for all lines.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        examples: &[
            (
                "Make an image of a file:",
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
        about: "look after the database of the image service",
        description: &[
            "glance-manage makes the database of an image service and brings it up to date. With no \
             configuration file the database of the local data directory is meant.",
            "Every action is spelled with two words, as in \"glance-manage db sync\"; most are spelled with one as \
             well, as in \"glance-manage db_sync\".",
        ],
        files: &[
            (
                "/etc/glance/glance-manage.conf, /etc/glance/glance-api.conf",
                "Configuration of the service, when no option says where it is; also looked for in ~/.glance, ~ and /etc.",
            ),
            ("DIR/glance.db", "The database of a data directory."),
        ],
        exit: &[
            ("0", "Done."),
            ("1", "Failed."),
            ("2", "Wrong usage."),
            (
                "3, 4, 5",
                "Of \"db check\": the next step of an upgrade is to expand, to migrate, to contract.",
            ),
            ("130", "Interrupted."),
        ],
        examples: &[(
            "Make the database of a new data directory:",
            "glance-manage --data-dir ./images db sync",
        )],
        see_also: &["glance(1)", "glance-scrubber(1)"],
    },
    Words {
        name: "glance-scrubber",
        about: "remove the data of images that wait to be deleted",
        description: &[
            "glance-scrubber removes the data of images in state pending_delete, and of locations that were \
             taken off images while deletion was delayed: once (for cron) or, as a daemon, at intervals. With \
             no configuration file the images of the local data directory are meant.",
            "Several scrubbers may run at once, beside the service and beside \"--restore\". What cannot be \
             removed is told, stays pending_delete and is tried again the next time; the exit code is 1 then. \
             What was done is a line of the log, on standard error, and of standard output at a terminal; \
             where there was nothing to do there is none.",
            "\"--restore\" looks whether the data is there still, and gives the image back its locations, \
             properties, tags and members.",
        ],
        files: &[(
            "/etc/glance/glance-scrubber.conf, /etc/glance/glance-api.conf",
            "Configuration of the service, when no option says where it is; also looked for in ~/.glance, ~ and /etc.",
        )],
        exit: EXIT,
        examples: &[
            (
                "See what would be removed, and how much that is:",
                "glance-scrubber --config-file /etc/glance/glance-api.conf --dry-run",
            ),
            (
                "Take an image back that was deleted by mistake:",
                "glance-scrubber --config-file /etc/glance/glance-api.conf --restore ID",
            ),
        ],
        see_also: &["glance(1)", "glance-manage(1)"],
    },
    Words {
        name: "glance-cache-manage",
        about: "look after the image cache of a host",
        description: &[
            "glance-cache-manage lists, fills and empties the image cache of a host. With no address or user the \
             cache of the local data directory is meant.",
            "The commands prune, clean and prefetch are ours; they work on the directory itself, also while a \
             service uses it. Called as glance-cache-pruner, glance-cache-cleaner or glance-cache-prefetcher, by \
             links of these names, the program does the same, and takes the options of the real ones.",
            "Before something is queued or deleted the user is asked, unless --force is given; where standard \
             input is no terminal, the answer is read from it.",
        ],
        files: &[
            ("DIR/cache", "The cache of a data directory."),
            (
                "/etc/glance/glance-api.conf, /etc/glance/glance-cache.conf",
                "Configuration of the service, when no option says where it is; also looked for in ~/.glance, ~ and /etc.",
            ),
        ],
        exit: EXIT,
        examples: &[
            (
                "What the cache of a running service holds:",
                "glance-cache-manage --host 127.0.0.1 list-cached",
            ),
            (
                "What a pruning of this host's cache would remove:",
                "glance-cache-manage --config-file /etc/glance/glance-api.conf --dry-run prune",
            ),
        ],
        see_also: &["glance(1)", "glance-manage(1)"],
    },
];

/// The page of a program.
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
        page.subsection("Options of this program alone");
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

/// A page while it is written.
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

    /// Text, in lines that are not too long.
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

    /// A paragraph for each option or argument.
    fn arguments(&mut self, arguments: &[&Argument]) {
        for argument in arguments {
            self.raw(&format!(".TP\n{}", heading(argument)));
            let mut help = sentence(&argument.help);
            if argument.required && !argument.is_positional() {
                help.push_str(" Required.");
            }
            if !argument.excludes.is_empty() {
                let _ = write!(help, " Not together with {}.", argument.excludes.join(", "));
            }
            if let super::model::Value::Word(words) = &argument.value {
                // Unless the text says so already.
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

    /// What `help` tells of topics, and the options of ours that it leaves out.
    fn topics(&mut self, program: &Program, ours: &[&Argument]) {
        let mut told = BTreeSet::new();
        for topic in program.topics.iter().copied() {
            // The second grammar's commands take cliff's options instead.
            if program.name == "openstack" && topic == "output" {
                continue;
            }
            let text = help::answer(Grammar::Glance, &[topic.to_string()]).unwrap_or_default();
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
            self.section("Other options of this program alone");
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
        self.section("Output of the second grammar");
        self.words("Its commands that print something take these options, as far as their description says so.");
        let titles = ["Options of lists", "Options of one thing"];
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

    /// A text of `help`: a title, paragraphs, and options that begin a line.
    fn topic(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        let title = lines.next().unwrap_or_default();
        // What follows in the title's first line is the beginning of the text.
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
                ("Commands of the first grammar", Some(Grammar::Glance)),
                ("Commands of the second grammar", Some(Grammar::Openstack)),
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
                Output::List => " Takes the output options of lists.",
                Output::Show => " Takes the output options of one thing.",
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

    /// The variables that options speak of, and those that none does.
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
                (
                    name,
                    format!("What {} says, when it is not given.", options.join(", ")),
                )
            })
            .collect();
        if program.topics.is_empty() {
            texts.insert(
                "GLANCE_DATA_DIR".to_string(),
                "What --data-dir says, when it is not given.".to_string(),
            );
        } else {
            for name in ["OS_CLOUD", "OS_AUTH_URL", "OS_IMAGE_URL", "OS_ENDPOINT"] {
                let text = texts.entry(name.to_string()).or_default();
                *text = format!("{text} A cloud is meant, unless something says otherwise.")
                    .trim()
                    .to_string();
            }
            for (name, text) in [
                (
                    "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE",
                    "Certificates to trust where a cloud names none, a file or a directory; the first one counts.",
                ),
                (
                    "SSL_CERT_FILE, SSL_CERT_DIR",
                    "Certificates to trust in place of the system's.",
                ),
                (
                    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
                    "Proxies, also of SOCKS (socks5h://), and servers that are reached without one.",
                ),
                (
                    "OS_CLIENT_CONFIG_FILE, OS_CLIENT_SECURE_FILE",
                    "The files to read in place of clouds.yaml and secure.yaml.",
                ),
            ] {
                texts.insert(name.to_string(), text.to_string());
            }
        }
        texts.insert(
            "NO_COLOR".to_string(),
            "When set, nothing is coloured.".to_string(),
        );
        texts.insert(
            "OS_GROUP__OPTION".to_string(),
            "An option of a configuration file, in capitals: OS_DEFAULT__DELAYED_DELETE, for one. It counts where \
             configuration is read, before what a file says."
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

/// An argument's names and value, as the heading of a paragraph.
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

/// An argument as a synopsis shows it.
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

/// A value's name without the brackets that some carry.
fn bare(name: &str) -> &str {
    name.strip_prefix('<')
        .and_then(|name| name.strip_suffix('>'))
        .unwrap_or(name)
}

/// A line that ends as a sentence does.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '…', ']', ')']) {
        text.to_string()
    } else {
        format!("{text}.")
    }
}

/// A line that begins as a sentence does.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Text that roff prints as it stands.
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

/// Text as one word behind a macro.
fn macro_word(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\(dq"))
}
