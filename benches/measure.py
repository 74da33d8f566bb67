"""Run programs and tell wall time, CPU time and memory at its highest, as the kernel counted them.

Python's standard library alone. Every figure is the median of several runs; what is compared is run
in turns, so that a busy machine is busy for all.
"""
import ctypes
import os
import statistics
import sys
import threading
import time


class Failed(Exception):
    """A program that did not end with 0."""


def spawn(argv, files, env):
    """Starts a program without copying this process. A file that is None is closed."""
    actions = []
    for to, file in enumerate(files):
        actions.append((os.POSIX_SPAWN_CLOSE, to) if file is None else (os.POSIX_SPAWN_DUP2, file, to))
    return os.posix_spawnp(argv[0], argv, env, file_actions=actions)


def spawn_small(argv, files, env):
    """Starts a program as the child of a small shell, and adopts it.

    A process counts the memory of the one it was started by until it is what it shall be, so that
    nothing started from here could be seen to need less than Python does.
    """
    shell = ["sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh", *argv]
    if files[0] is None:
        shell[2] = '"$@" <&- &'
    pid = spawn(shell, files, env)
    os.waitpid(pid, 0)
    return (children() - OTHERS).pop()


def children():
    with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
        return {int(child) for child in file.read().split()}


# Children of this process that are not what is measured.
OTHERS = set()


def ignore_children():
    """What runs now, such as servers that became children of this process, is not what is measured."""
    OTHERS.update(children())


def adopt():
    """Whether orphans of the shells become children of this process, as Linux can have it."""
    try:
        return ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
    except AttributeError:
        return False


ADOPTS = adopt()


def once(argv, stdin=None, stdout=None, env=None, small=False):
    """One run: seconds of wall, seconds of CPU (its children's too, where it waited), KiB at most.

    Standard input is closed unless a file is named; `small` is for memory, and tells no wall time.
    """
    read = os.open(stdin, os.O_RDONLY) if stdin else None
    out = os.open(stdout or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open(os.devnull, os.O_WRONLY)
    return finish(argv, [read, out, null], env, small)


def piped(source, argv, env=None, small=False):
    """The same with a file piped in by cat, whose own figures are not counted."""
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_WRONLY)
    cat = spawn(["cat", source], [None, write, null], os.environ)
    os.close(write)
    OTHERS.add(cat)
    try:
        return finish(argv, [read, os.dup(null), null], env, small)
    finally:
        os.waitpid(cat, 0)
        OTHERS.discard(cat)


def finish(argv, files, env, small):
    begin = time.perf_counter()
    start = spawn_small if small and ADOPTS else spawn
    pid = start(argv, files, os.environ if env is None else env)
    for file in files:
        if file is not None:
            os.close(file)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) != 0:
        raise Failed(f"{' '.join(argv)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


class Row:
    """One thing to measure: its name, how to run it once, and what to do before and after each run."""

    def __init__(self, name, run, before=None, after=None):
        self.name, self.run, self.before, self.after = name, run, before, after
        self.figures, self.memory, self.failure = [], 0, None

    def measure(self, small=False):
        if self.failure:
            return
        try:
            if self.before:
                self.before()
            figures = self.run(small)
            if small:
                self.memory = max(self.memory, figures["rss"])
            else:
                self.figures.append(figures)
        except (Failed, OSError) as failure:
            self.failure = str(failure)
        finally:
            if self.after:
                self.after()

    def median(self, field):
        return statistics.median(figures[field] for figures in self.figures)


def compare(title, rows, runs, against=None):
    """Measure rows in turns and print them beside each other.

    `against` is the name of the row that the others are told as ratios of; the first one otherwise.
    """
    # What warms the caches tells the memory.
    for row in rows:
        row.measure(small=True)
    for _ in range(runs):
        for row in rows:
            row.measure()
    base = next((row for row in rows if row.name == against and row.figures), None) or rows[0]
    width = max(len(row.name) for row in rows) + 2
    print(f"\n{title} (median of {runs}; ratios to: {base.name})")
    print(f"  {'':{width}}{'wall':>11}{'CPU':>11}{'peak RSS':>11}{'wall':>9}{'CPU':>9}")
    for row in rows:
        if row.failure or not row.figures:
            print(f"  {row.name:{width}}failed: {row.failure}")
            continue
        wall, cpu, rss = row.median("wall"), row.median("cpu"), row.memory
        ratios = "".join(ratio(row, base, field) for field in ("wall", "cpu"))
        print(f"  {row.name:{width}}{seconds(wall):>11}{seconds(cpu):>11}{rss / 1024:>7.1f} MiB{ratios}")
    sys.stdout.flush()
    return {row.name: row for row in rows}


def ratio(row, base, field):
    if not base.figures or base.median(field) == 0:
        return f"{'-':>9}"
    return f"{row.median(field) / base.median(field):>8.2f}x"


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"
