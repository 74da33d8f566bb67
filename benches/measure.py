"""Run programs and tell wall time, CPU time and memory at its highest, as the kernel counted them.

Python's standard library alone. Every figure is the median of several runs; what is compared is run
in turns, so that a busy machine is busy for all.
"""
import os
import statistics
import sys
import time

FIELDS = ("wall", "cpu", "rss")


class Failed(Exception):
    """A program that did not end with 0."""


def once(argv, stdin=None, stdout=None, env=None):
    """One run: seconds of wall, seconds of CPU (its children's too, where it waited), KiB at most."""
    files = [
        os.open(stdin or os.devnull, os.O_RDONLY),
        os.open(stdout or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        os.open(os.devnull, os.O_WRONLY),
    ]
    begin = time.perf_counter()
    # posix_spawn does not copy this process, whose memory would be counted otherwise.
    pid = os.posix_spawnp(argv[0], argv, env if env is not None else os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, file, to) for to, file in enumerate(files)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    for file in files:
        os.close(file)
    if os.waitstatus_to_exitcode(status) != 0:
        raise Failed(f"{' '.join(argv)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


def piped(source, argv, env=None, stdout=None):
    """One run of argv with a file piped in by cat, whose own figures are not counted."""
    read, write = os.pipe()
    out = os.open(stdout or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    begin = time.perf_counter()
    cat = os.posix_spawnp("cat", ["cat", source], os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)])
    pid = os.posix_spawnp(argv[0], argv, env if env is not None else os.environ,
                          file_actions=[(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_DUP2, out, 1),
                                        (os.POSIX_SPAWN_CLOSE, write)])
    for file in (read, write, out):
        os.close(file)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    os.waitpid(cat, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise Failed(f"{' '.join(argv)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


class Row:
    """One thing to measure: its name, how to run it once, and what to do before and after each run."""

    def __init__(self, name, run, before=None, after=None):
        self.name, self.run, self.before, self.after = name, run, before, after
        self.figures, self.failure = [], None

    def measure(self, keep=True):
        if self.failure:
            return
        try:
            if self.before:
                self.before()
            figures = self.run()
            if keep:
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
    for row in rows:
        row.measure(keep=False)
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
        wall, cpu, rss = (row.median(field) for field in FIELDS)
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
