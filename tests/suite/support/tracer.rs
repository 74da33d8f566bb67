//! A tracer of system calls: it follows every thread and child of one command, numbers the calls that
//! concern files below given directories, and lets an observer fail them or kill the command.
//!
//! It rests on ptrace through `nix` alone. The command starts behind a shell that stops itself, so that
//! nothing has to be done between fork and exec.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How long a command may take before it counts as hung and is killed.
const LIMIT: Duration = Duration::from_mins(1);

/// The longest path that is read from a process.
const LONGEST_PATH: usize = 4096;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It goes on.
    Proceed,
    /// It fails with this error; at its entry, without having been carried out.
    Fail(Errno),
    /// The whole command is killed now.
    Kill,
}

/// Sees the calls of a traced command.
pub trait Observer {
    /// A call is about to be carried out.
    fn enter(&mut self, call: &Call) -> Answer;

    /// A call that was carried out has returned `result`: a value, or a negated error number.
    fn leave(&mut self, call: &Call, result: i64) -> Answer {
        let _ = (call, result);
        Answer::Proceed
    }
}

/// An I/O call on a file below one of the traced directories.
#[derive(Debug)]
pub struct Call {
    /// Its number in the run, over all threads, from 1.
    pub number: u64,
    /// How many of its name on its files there were in the run, with this one.
    pub occurrence: u64,
    /// The system call's name.
    pub name: &'static str,
    /// The thread that makes it.
    pub thread: Pid,
    /// Its arguments, as the kernel sees them.
    pub arguments: [u64; 6],
    /// The files it names, in the order of its arguments; absolute.
    pub paths: Vec<PathBuf>,
    /// Whether it may change what is on the disk.
    pub changes: bool,
    /// Whether it may need space on the disk.
    pub allocates: bool,
}

impl Call {
    /// What tells it from the other calls of a run, and is the same in the next one, however the threads
    /// take turns.
    pub fn key(&self) -> String {
        format!("{}:{}:{}", self.name, self.named(), self.occurrence)
    }

    /// Its files, without what differs from run to run: the directory of the deployment, and the names of
    /// files that have none.
    pub fn named(&self) -> String {
        let names = self.paths.iter().map(|path| {
            let text = path.display().to_string();
            let Some((_, name)) = text.split_once("/case/") else {
                let last = path.file_name().unwrap_or_default();
                return last.to_string_lossy().into_owned();
            };
            if let Some((directory, _)) = name.split_once("/#") {
                return format!("{directory}/#unnamed");
            }
            match name.split_once(".db.20") {
                Some((beginning, _)) => format!("{beginning}.db.backup"),
                None => name.to_string(),
            }
        });
        names.collect::<Vec<_>>().join(",")
    }

    /// The file that an argument of the call has open, as `/proc` shows it.
    pub fn descriptor(&self, argument: usize) -> PathBuf {
        let number = self.arguments[argument].cast_signed() as i32;
        PathBuf::from(format!("/proc/{}/fd/{number}", self.thread))
    }

    /// The offset of an open file of the process.
    pub fn position(&self, argument: usize) -> Option<u64> {
        let number = self.arguments[argument].cast_signed() as i32;
        let text = std::fs::read_to_string(format!("/proc/{}/fdinfo/{number}", self.thread));
        let text = text.ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("pos:"))?;
        line.trim().parse().ok()
    }

    /// A number of eight bytes in the memory of the process.
    pub fn number_at(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let memory = File::open(format!("/proc/{}/mem", self.thread)).ok()?;
        memory.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_ne_bytes(bytes))
    }
}

/// How a traced command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Exited(i32),
    /// A signal of its own or of the system's ended it.
    Signaled(Signal),
    /// The observer killed it.
    Killed,
    /// It was killed since it took too long.
    TimedOut,
}

/// Runs `command` to its end; its calls on what is below `roots` are shown to `observer`.
///
/// The command MUST take its standard streams from files or pipes that never block.
///
/// # Errors
/// Says why the system does not allow tracing.
pub fn trace(
    command: &Command,
    input: Stdio,
    output: [Stdio; 2],
    roots: &[&Path],
    observer: &mut dyn Observer,
) -> Result<End, String> {
    let mut stopped = stopped(command);
    let [stdout, stderr] = output;
    stopped.stdin(input).stdout(stdout).stderr(stderr);
    // It is waited for below, as all that it starts.
    let spawned = stopped.spawn().map(|child| child.id().cast_signed());
    drop(stopped);
    let pid = Pid::from_raw(spawned.map_err(|e| format!("sh: {e}"))?);
    let failed = |what: &str, errno: Errno| {
        let _ = killpg(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None);
        format!("{what}: {errno}")
    };
    waitpid(pid, Some(WaitPidFlag::WUNTRACED)).map_err(|e| failed("waitpid", e))?;
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).map_err(|e| failed("PTRACE_SEIZE", e))?;
    kill(pid, Signal::SIGCONT).map_err(|e| failed("SIGCONT", e))?;

    let (done, waiting) = channel::<()>();
    let clock = std::thread::spawn(move || {
        let late = waiting.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = killpg(pid, Signal::SIGKILL);
        }
        late
    });
    let mut tracing = Tracing {
        group: pid,
        roots,
        observer,
        threads: HashMap::new(),
        calls: 0,
        occurrences: HashMap::new(),
        is_killed: false,
        end: None,
    };
    tracing.follow();
    drop(done);
    let late = clock.join().unwrap_or(false);
    if late {
        return Ok(End::TimedOut);
    }
    tracing
        .end
        .ok_or_else(|| "its end was not seen".to_string())
}

/// Whether commands may be traced here; if not, why.
///
/// # Errors
/// The reason.
pub fn probe() -> Result<(), String> {
    struct Nothing;
    impl Observer for Nothing {
        fn enter(&mut self, _: &Call) -> Answer {
            Answer::Proceed
        }
    }
    let outputs = [Stdio::null(), Stdio::null()];
    match trace(
        &Command::new("/bin/true"),
        Stdio::null(),
        outputs,
        &[],
        &mut Nothing,
    )? {
        End::Exited(0) => Ok(()),
        other => Err(format!("a traced /bin/true ended so: {other:?}")),
    }
}

/// Whether a test that traces commands is skipped here; prints the reason.
#[expect(clippy::print_stderr, reason = "a skipped test gives its reason")]
pub fn is_skipped() -> bool {
    let allowed = probe();
    if let Err(why) = &allowed {
        eprintln!("skipped: commands cannot be traced: {why}");
    }
    allowed.is_err()
}

/// Runs `command`, without input and output, and kills it before the call of that number, from 1, of those on files below
/// `root` that `is_counted` accepts; a number of 0 kills nothing. Returns how the command ended, and how many calls were
/// accepted.
pub fn kill_before(
    command: &Command,
    root: &Path,
    number: u64,
    is_counted: impl Fn(&Call) -> bool,
) -> (End, u64) {
    struct Counter<F> {
        is_counted: F,
        number: u64,
        count: u64,
    }
    impl<F: Fn(&Call) -> bool> Observer for Counter<F> {
        fn enter(&mut self, call: &Call) -> Answer {
            if (self.is_counted)(call) {
                self.count += 1;
                if self.count == self.number {
                    return Answer::Kill;
                }
            }
            Answer::Proceed
        }
    }
    let root = std::fs::canonicalize(root).unwrap();
    let mut counter = Counter {
        is_counted,
        number,
        count: 0,
    };
    let outputs = [Stdio::null(), Stdio::null()];
    let end = trace(command, Stdio::null(), outputs, &[&root], &mut counter).unwrap();
    (end, counter.count)
}

/// The command behind a shell that stops itself first, in a process group of its own. Standard input
/// that is no pipe is closed, as for a command that gets none.
fn stopped(command: &Command) -> Command {
    let mut stopped = Command::new("/bin/sh");
    let script = "kill -STOP $$; if [ -p /dev/stdin ]; then exec \"$0\" \"$@\"; else exec \"$0\" \"$@\" <&-; fi";
    stopped
        .arg("-c")
        .arg(script)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .process_group(0);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            stopped.env(name, value);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        stopped.current_dir(directory);
    }
    stopped
}

/// A thread of a traced command.
#[derive(Default)]
struct Thread {
    /// Whether it is inside of a system call.
    inside: bool,
    /// The call that it is inside of, if that is shown; the error it is to fail with.
    call: Option<(Call, Option<Errno>)>,
}

struct Tracing<'a> {
    group: Pid,
    roots: &'a [&'a Path],
    observer: &'a mut dyn Observer,
    threads: HashMap<Pid, Thread>,
    calls: u64,
    occurrences: HashMap<String, u64>,
    is_killed: bool,
    end: Option<End>,
}

impl Tracing<'_> {
    /// Goes on until no traced thread is left.
    fn follow(&mut self) {
        // Other threads of the tests trace as well: theirs are not ours to wait for.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            // A thread that was killed while it was stopped cannot be resumed, and need not be.
            let _ = match waitpid(None, Some(flags)) {
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    self.at_call(thread);
                    ptrace::syscall(thread, None)
                }
                Ok(WaitStatus::PtraceEvent(thread, _, _)) => ptrace::syscall(thread, None),
                Ok(WaitStatus::Stopped(thread, signal)) => ptrace::syscall(thread, signal),
                Ok(WaitStatus::Exited(thread, code)) => {
                    self.ended(thread, End::Exited(code));
                    Ok(())
                }
                Ok(WaitStatus::Signaled(thread, signal, _)) => {
                    self.ended(thread, End::Signaled(signal));
                    Ok(())
                }
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(_) => return,
            };
        }
    }

    fn ended(&mut self, thread: Pid, end: End) {
        self.threads.remove(&thread);
        if thread == self.group {
            self.end = Some(if self.is_killed { End::Killed } else { end });
        }
    }

    /// A thread is at the entry or at the exit of a call.
    fn at_call(&mut self, thread: Pid) {
        let state = self.threads.entry(thread).or_default();
        state.inside = !state.inside;
        let Ok(registers) = ptrace::getregs(thread) else {
            return;
        };
        if state.inside {
            let arguments = [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ];
            let number = registers.orig_rax.cast_signed();
            if self.is_killed {
                return;
            }
            let Some(mut call) = described(thread, number, arguments, self.roots) else {
                return;
            };
            self.calls += 1;
            call.number = self.calls;
            let occurrences = self.occurrences.entry(call.key()).or_default();
            *occurrences += 1;
            call.occurrence = *occurrences;
            let answer = self.observer.enter(&call);
            let failure = match answer {
                Answer::Proceed => None,
                Answer::Fail(errno) => {
                    // No call has that number: the kernel carries out nothing.
                    let mut changed = registers;
                    changed.orig_rax = u64::MAX;
                    let _ = ptrace::setregs(thread, changed);
                    Some(errno)
                }
                Answer::Kill => {
                    self.kill();
                    None
                }
            };
            let state = self.threads.entry(thread).or_default();
            state.call = Some((call, failure));
        } else if let Some((call, failure)) = state.call.take() {
            let fail = |errno: Errno| {
                let mut changed = registers;
                changed.rax = (-i64::from(errno as i32)).cast_unsigned();
                let _ = ptrace::setregs(thread, changed);
            };
            if let Some(errno) = failure {
                fail(errno);
            } else if !self.is_killed {
                match self.observer.leave(&call, registers.rax.cast_signed()) {
                    Answer::Proceed => {}
                    Answer::Fail(errno) => fail(errno),
                    Answer::Kill => self.kill(),
                }
            }
        }
    }

    fn kill(&mut self) {
        self.is_killed = true;
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

/// An argument that names a file.
#[derive(Clone, Copy)]
enum Operand {
    /// The number of an open file.
    Open(usize),
    /// A path.
    Path(usize),
    /// A directory's number and a path, which may be relative to it.
    At(usize, usize),
}
use Operand::{At, Open, Path as Named};

/// A system call that is shown.
struct Kind {
    name: &'static str,
    operands: &'static [Operand],
    changes: bool,
    allocates: bool,
}

/// The calls that only read, that change what is there, and that need space as well. Locks of `fcntl` are no
/// I/O, and SQLite takes any error of theirs for a lock that another process has.
static KINDS: LazyLock<HashMap<i64, Kind>> = LazyLock::new(|| {
    let mut kinds = HashMap::new();
    let mut add = |number, name, operands, changes, allocates| {
        kinds.insert(
            number,
            Kind {
                name,
                operands,
                changes,
                allocates,
            },
        );
    };
    macro_rules! calls {
        ($changes:literal $allocates:literal: $($number:ident $name:literal $operands:expr;)*) => {
            $(add(libc::$number, $name, &$operands as &[Operand], $changes, $allocates);)*
        };
    }
    // What an opening changes is in its flags.
    calls! { false false:
        SYS_open "open" [Named(0)];
        SYS_openat "openat" [At(0, 1)];
        SYS_openat2 "openat2" [At(0, 1)];
        SYS_read "read" [Open(0)];
        SYS_pread64 "pread64" [Open(0)];
        SYS_readv "readv" [Open(0)];
        SYS_preadv "preadv" [Open(0)];
        SYS_preadv2 "preadv2" [Open(0)];
        SYS_getdents64 "getdents64" [Open(0)];
        SYS_stat "stat" [Named(0)];
        SYS_lstat "lstat" [Named(0)];
        SYS_fstat "fstat" [Open(0)];
        SYS_newfstatat "newfstatat" [At(0, 1)];
        SYS_statx "statx" [At(0, 1)];
        SYS_statfs "statfs" [Named(0)];
        SYS_fstatfs "fstatfs" [Open(0)];
        SYS_access "access" [Named(0)];
        SYS_faccessat "faccessat" [At(0, 1)];
        SYS_faccessat2 "faccessat2" [At(0, 1)];
        SYS_lseek "lseek" [Open(0)];
        SYS_flock "flock" [Open(0)];
    }
    calls! { true false:
        SYS_unlink "unlink" [Named(0)];
        SYS_unlinkat "unlinkat" [At(0, 1)];
        SYS_rmdir "rmdir" [Named(0)];
        SYS_chmod "chmod" [Named(0)];
        SYS_fchmod "fchmod" [Open(0)];
        SYS_fchmodat "fchmodat" [At(0, 1)];
        SYS_fchmodat2 "fchmodat2" [At(0, 1)];
        SYS_chown "chown" [Named(0)];
        SYS_lchown "lchown" [Named(0)];
        SYS_fchown "fchown" [Open(0)];
        SYS_fchownat "fchownat" [At(0, 1)];
        SYS_utimensat "utimensat" [At(0, 1)];
    }
    calls! { true true:
        SYS_creat "creat" [Named(0)];
        SYS_write "write" [Open(0)];
        SYS_pwrite64 "pwrite64" [Open(0)];
        SYS_writev "writev" [Open(0)];
        SYS_pwritev "pwritev" [Open(0)];
        SYS_pwritev2 "pwritev2" [Open(0)];
        SYS_copy_file_range "copy_file_range" [Open(0), Open(2)];
        SYS_sendfile "sendfile" [Open(0), Open(1)];
        SYS_ioctl "ioctl" [Open(0), Open(2)];
        SYS_truncate "truncate" [Named(0)];
        SYS_ftruncate "ftruncate" [Open(0)];
        SYS_fallocate "fallocate" [Open(0)];
        SYS_fsync "fsync" [Open(0)];
        SYS_fdatasync "fdatasync" [Open(0)];
        SYS_sync_file_range "sync_file_range" [Open(0)];
        SYS_syncfs "syncfs" [Open(0)];
        SYS_rename "rename" [Named(0), Named(1)];
        SYS_renameat "renameat" [At(0, 1), At(2, 3)];
        SYS_renameat2 "renameat2" [At(0, 1), At(2, 3)];
        SYS_link "link" [Named(0), Named(1)];
        SYS_linkat "linkat" [At(0, 1), At(2, 3)];
        SYS_symlink "symlink" [Named(1)];
        SYS_symlinkat "symlinkat" [At(1, 2)];
        SYS_mkdir "mkdir" [Named(0)];
        SYS_mkdirat "mkdirat" [At(0, 1)];
        SYS_setxattr "setxattr" [Named(0)];
        SYS_fsetxattr "fsetxattr" [Open(0)];
        SYS_removexattr "removexattr" [Named(0)];
        SYS_fremovexattr "fremovexattr" [Open(0)];
    }
    kinds
});

/// Requests of `ioctl` that clone data.
const CLONES: [u64; 2] = [0x4004_9409, 0x4020_940D];

/// Describes a call that is to be shown; its number in the run is left at 0.
fn described(thread: Pid, number: i64, arguments: [u64; 6], roots: &[&Path]) -> Option<Call> {
    let kind = KINDS.get(&number)?;
    let is_shown = match number {
        libc::SYS_lseek => [libc::SEEK_DATA, libc::SEEK_HOLE].contains(&(arguments[2] as i32)),
        libc::SYS_ioctl => CLONES.contains(&arguments[1]),
        _ => true,
    };
    if !is_shown {
        return None;
    }
    let paths: Vec<PathBuf> = kind
        .operands
        .iter()
        .filter_map(|operand| path_of(thread, &arguments, *operand))
        .collect();
    let concerns = |path: &PathBuf| roots.iter().any(|root| path.starts_with(root));
    if !paths.iter().any(concerns) {
        return None;
    }
    let mut call = Call {
        number: 0,
        occurrence: 0,
        name: kind.name,
        thread,
        arguments,
        paths,
        changes: kind.changes,
        allocates: kind.allocates,
    };
    if let Some(flags) = flags_of(&call) {
        let is_unnamed = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        let is_new =
            flags & libc::O_CREAT != 0 && call.paths.first().is_some_and(|path| !path.exists());
        call.allocates = is_unnamed || is_new;
        call.changes = call.allocates || flags & libc::O_TRUNC != 0;
    }
    Some(call)
}

/// The flags of a call that opens a file.
pub fn flags_of(call: &Call) -> Option<i32> {
    let flags = match call.name {
        "open" => call.arguments[1],
        "openat" => call.arguments[2],
        "openat2" => call.number_at(call.arguments[2])?,
        "creat" => u64::from((libc::O_CREAT | libc::O_TRUNC).cast_unsigned()),
        _ => return None,
    };
    Some(flags as i32)
}

/// The file that an argument names.
fn path_of(thread: Pid, arguments: &[u64; 6], operand: Operand) -> Option<PathBuf> {
    let opened = |number: u64| {
        let number = number as i32;
        std::fs::read_link(format!("/proc/{thread}/fd/{number}")).ok()
    };
    match operand {
        Open(number) => opened(arguments[number]),
        Named(path) => resolved(thread, None, &text_at(thread, arguments[path])?),
        At(directory, path) => {
            let base = arguments[directory];
            // Some calls mean the open file itself when they are given no path.
            let path = match arguments[path] {
                0 => PathBuf::new(),
                address => text_at(thread, address)?,
            };
            if path.as_os_str().is_empty() {
                return opened(base);
            }
            resolved(thread, Some(base), &path)
        }
    }
}

/// An absolute path without `.` and `..`; that of an open file for one in `/proc/self/fd`.
fn resolved(thread: Pid, base: Option<u64>, path: &Path) -> Option<PathBuf> {
    if let Ok(number) = path.strip_prefix("/proc/self/fd") {
        return std::fs::read_link(format!("/proc/{thread}/fd/{}", number.display())).ok();
    }
    if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
        return Some(path.to_path_buf());
    }
    let base = match base {
        Some(number) if number as i32 != libc::AT_FDCWD => {
            std::fs::read_link(format!("/proc/{thread}/fd/{}", number as i32)).ok()?
        }
        _ => std::fs::read_link(format!("/proc/{thread}/cwd")).ok()?,
    };
    let mut whole = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    Some(whole)
}

/// A text that ends with a zero in the memory of a process.
fn text_at(thread: Pid, address: u64) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut text = Vec::new();
    while text.len() < LONGEST_PATH {
        // No read crosses the end of a page: the next one need not be mapped.
        let at = address.checked_add(text.len() as u64)?;
        let room = 4096 - usize::try_from(at % 4096).ok()?;
        let mut piece = vec![0; room.min(256)];
        let count = memory.read_at(&mut piece, at).ok()?;
        let piece = piece.get(..count).filter(|piece| !piece.is_empty())?;
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&piece[..end]);
            return Some(PathBuf::from(std::ffi::OsString::from_vec(text)));
        }
        text.extend_from_slice(piece);
    }
    None
}
