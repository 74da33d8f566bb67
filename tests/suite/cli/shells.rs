//! Completion in real shells, in a terminal.

#![expect(clippy::print_stderr, reason = "a test that is skipped prints why")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{GLANCE, Place};

/// The time for a shell to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

/// The prompt of every shell.
const PROMPT: &str = "ready>";

/// A shell in a terminal of its own; it ends with this.
struct Terminal<'a> {
    place: &'a Place,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// Starts a shell, which runs `setup` first; None, with the reason, if the machine lacks it.
    fn start(place: &'a Place, shell: &[&str], setup: &str) -> Option<Self> {
        for program in ["tmux", shell[0]] {
            let found = ["/usr/bin", "/bin"];
            if !found.iter().any(|at| Path::new(at).join(program).exists()) {
                eprintln!("skipped: {program} is missing");
                return None;
            }
        }
        let bin = place.file("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in ["glance", "glance-manage"] {
            let _ = std::os::unix::fs::symlink(GLANCE, bin.join(name));
        }
        // A server that was told to end may still hold its socket.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let socket = place.file(&format!("tmux-{number}"));
        let terminal = Self {
            place,
            socket: socket.to_str().unwrap().to_string(),
        };
        let mut words = vec!["new-session", "-d", "-x", "120", "-y", "40"];
        words.extend(shell);
        let started = terminal.tmux(&words);
        assert!(started.status.success(), "{started:?}");
        terminal.send(&["-l", setup]);
        terminal.send(&["Enter"]);
        terminal.wait(|screen| {
            screen
                .lines()
                .last()
                .is_some_and(|line| line.trim() == PROMPT)
        });
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut command: Command = self.place.command("/usr/bin/tmux");
        let bin = self.place.file("bin");
        command
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("TERM", "screen")
            .env("LANG", "C.UTF-8")
            .args(["-f", "/dev/null", "-S", &self.socket])
            .args(words);
        command.output().unwrap()
    }

    fn send(&self, keys: &[&str]) {
        let mut words = vec!["send-keys"];
        words.extend(keys);
        assert!(self.tmux(&words).status.success());
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_string()
    }

    /// Waits until the screen is as it should be, and returns it.
    #[track_caller]
    fn wait(&self, is_expected: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_expected(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{screen}");
        }
    }

    /// Types a line and TAB on an empty screen, and waits until the screen has all of these texts.
    #[track_caller]
    fn completes(&self, line: &str, texts: &[&str]) {
        self.send(&["C-u", "C-l"]);
        self.wait(|screen| screen.trim() == PROMPT);
        self.send(&["-l", line]);
        self.wait(|screen| screen.contains(line.trim_end()));
        self.send(&["Tab"]);
        self.wait(|screen| texts.iter().all(|text| screen.contains(text)));
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// A data directory with two images, and a file and a directory whose names have spaces.
fn place() -> (Place, [String; 2]) {
    let place = Place::new();
    // They have no common beginning.
    let ids = ["1", "2"].map(|digit| format!("{digit}1111111-1111-4111-8111-111111111111"));
    for (id, name) in ids.iter().zip(["My image", "first"]) {
        place
            .glance(&["image-create", "--id", id, "--name", name])
            .ok();
    }
    place.write("disk one.img", "x");
    std::fs::create_dir(place.file("space here")).unwrap();
    (place, ids)
}

/// Checks what each of the shells completes.
#[track_caller]
fn check(terminal: &Terminal<'_>, ids: &[String; 2]) {
    for (line, completed) in [
        ("glance image-rea", "glance image-reactivate"),
        ("glance image show M", "glance image show My\\ image"),
        ("glance image show \"My", "glance image show \"My image\""),
        (
            "glance image list --sort name:as",
            "glance image list --sort name:asc",
        ),
        (
            "glance image list --format=js",
            "glance image list --format=json",
        ),
        (
            "glance image set first --property os_di",
            "--property os_distro=",
        ),
        ("glance image create x --file disk", "--file disk\\ one.img"),
        ("glance image create x --file=disk", "--file=disk\\ one.img"),
        ("glance --data-dir spac", "glance --data-dir space\\ here/"),
        ("glance-manage db contr", "glance-manage db contract"),
    ] {
        terminal.completes(line, &[completed]);
    }
    // The names beside the IDs.
    terminal.completes("glance image-show ", &[]);
    terminal.send(&["Tab"]);
    terminal.wait(|screen| {
        let all = ids.iter().map(String::as_str).chain(["My image", "first"]);
        all.into_iter().all(|text| screen.contains(text))
    });
}

#[test]
fn bash_completes_names_ids_and_paths() {
    let (place, ids) = place();
    let setup = format!("PS1='{PROMPT} '; . <(glance completion bash); clear");
    let shell = ["bash", "--norc", "--noprofile"];
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn bash_completes_the_same_with_the_package_bash_completion() {
    let package = "/usr/share/bash-completion/bash_completion";
    if !Path::new(package).exists() {
        eprintln!("skipped: bash-completion is missing");
        return;
    }
    let (place, ids) = place();
    // Installed where the package looks for it.
    let directory = place.file("../home/.local/share/bash-completion/completions");
    std::fs::create_dir_all(&directory).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["glance", "glance-manage"] {
        std::fs::copy(
            top.join("completions/bash").join(name),
            directory.join(name),
        )
        .unwrap();
    }
    let setup = format!("PS1='{PROMPT} '; . {package}; clear");
    let shell = ["bash", "--norc", "--noprofile"];
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn bash_leaves_other_commands_of_openstack_to_the_function_that_was_there() {
    let (place, _) = place();
    let other = "_openstack() { COMPREPLY=($(compgen -W 'image list-of-other server' -- \"$2\")); }\n\
                 complete -F _openstack openstack\n";
    place.write("other", other);
    let setup =
        format!("PS1='{PROMPT} '; . ./other; . <(glance completion bash --name openstack); clear");
    let shell = ["bash", "--norc", "--noprofile"];
    let Some(terminal) = Terminal::start(&place, &shell, &setup) else {
        return;
    };
    terminal.completes("openstack ser", &["openstack server"]);
    terminal.completes("openstack server li", &["openstack server list-of-other"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
    terminal.completes("openstack imag", &["openstack image"]);
    let package = "/usr/share/bash-completion/bash_completion";
    if !Path::new(package).exists() {
        eprintln!("skipped: bash-completion is missing");
        return;
    }
    drop(terminal);
    // Now the other one is loaded by the package, after ours.
    let directory = place.file("../home/.local/share/bash-completion/completions");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("openstack"), other).unwrap();
    let setup = format!(
        "PS1='{PROMPT} '; . {package}; . <(glance completion bash --name openstack); clear"
    );
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        terminal.completes(
            "openstack image show M",
            &["openstack image show My\\ image"],
        );
        terminal.completes("openstack server li", &["openstack server list-of-other"]);
        terminal.completes("openstack image sav", &["openstack image save"]);
    }
}

#[test]
fn zsh_completes_names_ids_and_paths_and_hands_on_what_is_not_ours() {
    let (place, ids) = place();
    place.write(
        "other",
        "_openstack() { compadd image server list-of-other }\ncompdef _openstack openstack\n",
    );
    let setup = format!(
        "PS1='{PROMPT} '; autoload -Uz compinit; compinit -u -D; . <(glance completion zsh); . ./other; \
         . <(glance completion zsh --name openstack); clear"
    );
    let Some(terminal) = Terminal::start(&place, &["zsh", "-f"], &setup) else {
        return;
    };
    check(&terminal, &ids);
    terminal.completes("openstack ser", &["openstack server"]);
    terminal.completes("openstack server li", &["openstack server list-of-other"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
}

#[test]
fn zsh_loads_the_function_from_its_directory() {
    let (place, ids) = place();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = format!(
        "PS1='{PROMPT} '; fpath=({}/completions/zsh $fpath); autoload -Uz compinit; compinit -u -D; clear",
        top.display()
    );
    if let Some(terminal) = Terminal::start(&place, &["zsh", "-f"], &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn fish_completes_names_ids_and_paths_beside_other_completions() {
    let (place, ids) = place();
    let setup = format!(
        "function fish_prompt; echo '{PROMPT} '; end; glance completion fish | source; \
         complete -c openstack -f -a 'server'; glance completion fish --name openstack | source; clear"
    );
    let Some(terminal) = Terminal::start(&place, &["fish", "--no-config"], &setup) else {
        return;
    };
    check(&terminal, &ids);
    terminal.completes("openstack ser", &["openstack server"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
}

#[test]
fn elvish_completes_names() {
    let (place, _) = place();
    place.write(
        "completion.elv",
        std::process::Command::new(GLANCE)
            .args(["completion", "elvish"])
            .output()
            .unwrap()
            .stdout,
    );
    let setup = format!(
        "set edit:prompt = {{ put '{PROMPT} ' }}; set edit:rprompt = {{ }}; eval (slurp < completion.elv); clear"
    );
    let Some(terminal) = Terminal::start(&place, &["elvish", "-norc"], &setup) else {
        return;
    };
    terminal.send(&["-l", "glance image show M"]);
    terminal.wait(|screen| screen.contains("show M"));
    terminal.send(&["Tab"]);
    terminal.wait(|screen| screen.contains("glance image show 'My image'"));
}
