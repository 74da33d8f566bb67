//! A shell in a terminal (tmux), at which keys are typed.

#![expect(clippy::print_stderr, reason = "a test that is skipped prints why")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{GLANCE, Place};

/// The time for a shell to show what is expected.
const PATIENCE: Duration = Duration::from_secs(30);

/// The prompt of every shell.
pub const PROMPT: &str = "ready>";

/// The number of terminals that were started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A shell in a terminal of its own; it ends with this.
pub struct Terminal<'a> {
    place: &'a Place,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// Starts a shell, which runs `setup` first; None, with the reason, if the machine lacks it.
    pub fn start(place: &'a Place, shell: &[&str], setup: &str) -> Option<Self> {
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
        // An earlier server that is ending may still hold its socket.
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

    pub fn send(&self, keys: &[&str]) {
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
    pub fn wait(&self, is_expected: impl Fn(&str) -> bool) -> String {
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
    pub fn completes(&self, line: &str, texts: &[&str]) {
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
