//! Confinement of `qemu-img` by the kernel (Landlock): it can read its program and libraries, read one source,
//! write one target, and open nothing else. Where the kernel supports it, TCP connections, abstract sockets and
//! signals to other processes are refused as well.
//!
//! A kernel without Landlock does not confine. The checks of the inspectors and of the report still apply.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use tokio::process::{Child, Command};

use crate::{Error, Result};

/// The directories and files from which programs and libraries are loaded; some may not exist.
const LOADED: [&str; 16] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/nix/store",
    "/gnu/store",
    "/usr/share/qemu",
];

/// The newest Landlock version that is requested. An older kernel applies the rules that it supports.
const NEWEST: ABI = ABI::V6;

/// The files that a program may open.
pub(super) struct Confinement {
    /// The absolute path of the program.
    pub program: PathBuf,
    /// The file to read.
    pub source: PathBuf,
    /// The file to write, which MUST exist.
    pub target: Option<PathBuf>,
}

impl Confinement {
    /// Starts `command` confined. Standard input is empty; standard output and error are those of the command.
    ///
    /// MUST be called in a runtime. The rules apply to the thread that sets them and to its child processes, so a
    /// separate, short-lived thread sets them.
    ///
    /// # Errors
    /// `Failed` if the rules cannot be applied although the kernel supports Landlock, or the program cannot be
    /// started; `Io` if one of the files cannot be opened.
    pub fn spawn(self, mut command: Command) -> Result<Child> {
        let runtime = tokio::runtime::Handle::current();
        let null = File::open("/dev/null").map_err(|e| Error::io("open", "/dev/null", e))?;
        command.stdin(null);
        // File descriptors that this process inherited, such as locks, are not passed on.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let work = move || {
            self.apply()?;
            let _entered = runtime.enter();
            let spawned = command.spawn();
            spawned.map_err(|e| Error::failed("qemu-img cannot be started").because(e))
        };
        let thread = std::thread::Builder::new()
            .name("confined".to_string())
            .spawn(work)
            .map_err(|e| Error::failed("no thread can be started for qemu-img").because(e))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(Error::internal("a worker thread failed")))
    }

    /// Confines the calling thread and its child processes, and returns whether the kernel enforces it.
    pub(super) fn apply(&self) -> Result<RulesetStatus> {
        let source = open_path(&self.source)?;
        let target = self.target.as_deref().map(open_path).transpose()?;
        self.restrict(source, target).map_err(|e| {
            Error::failed("qemu-img cannot be confined to the files of the conversion").because(e)
        })
    }

    fn restrict(
        &self,
        source: File,
        target: Option<File>,
    ) -> std::result::Result<RulesetStatus, RulesetError> {
        let reading = AccessFs::from_read(NEWEST);
        let writing = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rules(path_beneath_rules(LOADED, reading))?
            // The program opens `/dev/null` to test which kinds of locks the system supports.
            .add_rules(path_beneath_rules(
                ["/dev/null"],
                AccessFs::ReadFile | AccessFs::WriteFile,
            ))?
            .add_rule(PathBeneath::new(source, AccessFs::ReadFile))?;
        if let Ok(program) = PathFd::new(&self.program) {
            rules = rules.add_rule(PathBeneath::new(
                program,
                AccessFs::ReadFile | AccessFs::Execute,
            ))?;
        }
        if let Some(target) = target {
            rules = rules.add_rule(PathBeneath::new(target, writing))?;
        }
        Ok(rules.restrict_self()?.ruleset)
    }
}

/// Opens a file for a rule, without following a link.
fn open_path(path: &Path) -> Result<File> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::NOFOLLOW;
    File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|e| Error::io("open", path, e))
}
