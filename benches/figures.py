"""What `benches/run` measures; see there."""
import os
import random
import shutil
import sqlite3
import sys
import uuid

import catalogue
from cache import CacheBench
from measure import Row, compare, once, piped
from operator_tools import OperatorBench
from remote import remote
from service import service
from stores import stores
from upkeep import Scrubs, thin

RUNS = int(os.environ.get("GLANCE_BENCH_RUNS", "5"))
QUICK = 40
MIB = 1024 * 1024
# What `image list` shows, in its order; the images that it shows.
SHOWN = "deleted = 0 and os_hidden = 0 and (owner = 'admin' or visibility <> 'community')"
COLUMNS = f"select id, name, status from images where {SHOWN} order by name, created_at desc, id desc"


class Bench:
    def __init__(self, top, binaries, venv):
        self.top, self.binaries, self.venv = top, binaries, venv
        clean = ("OS_", "GLANCE_", "CLIFF_")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(clean)}
        self.env.update(HOME=top, XDG_DATA_HOME=os.path.join(top, "share"))
        self.number = 0

    def path(self, name):
        return os.path.join(self.top, name)

    def ours(self, name, *words):
        return [os.path.join(self.binaries, name), *words]

    def peer(self, name):
        path = os.path.join(self.venv, "bin", name) if self.venv else ""
        return path if os.access(path, os.X_OK) else None

    def row(self, name, argv, **more):
        return Row(name, lambda small: once(argv, env=self.env, small=small), **more)

    def data_dir(self):
        """A new data directory, with its database made."""
        self.number += 1
        path = self.path(f"data{self.number}")
        once(self.ours("glance-manage", "--data-dir", path, "db_sync"), env=self.env)
        return path

    def glance(self, path, *words):
        return self.ours("glance", "--data-dir", path, *words)

    # (a)
    def start(self):
        for words in (["--version"], ["help", "image-create"]):
            rows = [self.row("ours", self.ours("glance", *words)), self.row("/bin/true", ["true"])]
            compare(f"glance {' '.join(words)}", rows, QUICK)

    # (f)
    def peers(self):
        for name, ours in (("glance", "glance"), ("openstack", None), ("glance-manage", "glance-manage")):
            if not self.peer(name):
                continue
            if ours is None:
                # Called by that name, it is the second grammar.
                link = self.path("openstack")
                if not os.path.lexists(link):
                    os.symlink(os.path.join(self.binaries, "glance"), link)
                argv = [link, "--version"]
            else:
                argv = self.ours(ours, "--version")
            rows = [self.row("ours", argv), self.row("Python", [self.peer(name), "--version"])]
            compare(f"{name} --version beside the Python program", rows, RUNS)

    # (b)
    def empty(self):
        path = self.data_dir()
        first = self.glance(path, "image-create", "--name", "empty")
        second = self.glance(path, "image", "create", "empty")
        rows = [self.row("image-create", first), self.row("image create", second)]
        compare("create of an empty image", rows, QUICK)

    def big_file(self):
        path = self.path("big.raw")
        block = os.urandom(MIB)
        with open(path, "wb") as file:
            for index in range(1024):
                # Not the same block throughout, whatever a file system makes of it.
                file.write(index.to_bytes(8, "little") + block[8:])
            file.flush()
            os.fsync(file.fileno())
        return path

    # (c)
    def create(self, source):
        path = self.data_dir()
        create = ("image-create", "--name", "big", "--disk-format", "raw", "--container-format", "bare")
        from_file = self.glance(path, *create, "--file", source)
        from_pipe = self.glance(path, *create)
        copy = self.path("copy")
        empty = self.clear(path)
        rows = [
            self.row("create from file", from_file, after=empty),
            Row("create from pipe", lambda small: piped(source, from_pipe, env=self.env, small=small), after=empty),
            self.row("md5sum", ["md5sum", source]),
            self.row("sha512sum", ["sha512sum", source]),
            self.row("cp", ["cp", "--reflink=never", source, copy], after=lambda: os.path.exists(copy) and os.remove(copy)),
        ]
        rows = compare("create of 1 GiB", rows, RUNS, against="sha512sum")
        hashes = [rows[name].median("wall") for name in ("md5sum", "sha512sum") if rows[name].figures]
        for name in ("create from file", "create from pipe"):
            if rows[name].figures and hashes:
                print(f"  {name}: {rows[name].median('wall') / max(hashes):.2f} x the slower hash alone")

    def clear(self, path):
        """Takes the images' data away, so that the disk does not fill."""
        def remove():
            directory = os.path.join(path, "images")
            for name in os.listdir(directory) if os.path.isdir(directory) else []:
                if len(name) == 36:
                    os.remove(os.path.join(directory, name))
        return remove

    # (e)
    def save(self, source):
        path = self.data_dir()
        image = str(uuid.uuid4())
        once(self.glance(path, "image-create", "--id", image, "--name", "big", "--disk-format", "raw",
                         "--container-format", "bare", "--file", source), env=self.env)
        target = self.path("saved")
        to_stdout = self.glance(path, "image", "save", image)

        def remove():
            if os.path.exists(target):
                os.remove(target)
        rows = [
            self.row("image-download --file", self.glance(path, "image-download", "--file", target, image), after=remove),
            self.row("image save --file", self.glance(path, "image", "save", "--file", target, image), after=remove),
            Row("image save > file", lambda small: once(to_stdout, env=self.env, stdout=target, small=small), after=remove),
            self.row("sha512sum", ["sha512sum", source]),
            self.row("cp", ["cp", "--reflink=never", source, target], after=remove),
        ]
        compare("save of 1 GiB, verified", rows, RUNS, against="sha512sum")
        shutil.rmtree(path)

    # (d)
    def lists(self, count):
        path = self.data_dir()
        database = os.path.join(path, "glance.db")
        catalogue.fill(database, count)
        with sqlite3.connect(database) as connection:
            shown, = connection.execute(f"select count(*) from images where {SHOWN}").fetchone()
            one, = connection.execute(f"select id from images where {SHOWN} and status = 'active' limit 1").fetchone()
        connection.close()
        # Nothing is measured that does not list them all.
        listed = self.path("listed")
        once(self.glance(path, "image", "list", "-f", "value"), env=self.env, stdout=listed)
        with open(listed, "rb") as file:
            lines = sum(1 for _ in file)
        if lines != shown:
            raise SystemExit(f"image list: {lines} lines of {shown} images")
        rows = []
        for words, many in ((["image", "list"], ["-f"]), (["image-list"], ["--format"])):
            for form in ("table", "csv", "json", "value"):
                argv = self.glance(path, *words, *many, form)
                rows.append(self.row(f"{' '.join(words)}, {form}", argv))
        for mode in ("list", "csv", "json"):
            argv = ["sqlite3", "-readonly", f"-{mode}", database, COLUMNS]
            rows.append(self.row(f"sqlite3 -{mode}", argv))
        rows.append(self.row("image list --long, value", self.glance(path, "image", "list", "--long", "-f", "value")))
        compare(f"list of {count:,} images", rows, RUNS, against="sqlite3 -list")
        self.single(path, count, one)
        shutil.rmtree(path)

    def single(self, path, count, image):
        """What one image costs, however many there are."""
        once(self.glance(path, "image-update", "--property", "a=b", image), env=self.env)
        doomed = [str(uuid.uuid4()) for _ in range(RUNS + 2)]
        for one in doomed:
            once(self.glance(path, "image-create", "--id", one, "--name", "doomed", "--disk-format", "raw",
                             "--container-format", "bare", "--file", __file__), env=self.env)
        delete = Row("image-delete", lambda small: once(self.glance(path, "image-delete", doomed.pop()), env=self.env, small=small))
        rows = [self.row("image-show", self.glance(path, "image-show", image)),
                self.row("image list --limit 20", self.glance(path, "image", "list", "--limit", "20")),
                self.row("usage", self.glance(path, "usage"))]
        compare(f"one of {count:,} images", rows, RUNS)
        compare(f"deletion of one of {count:,} images", [delete], RUNS)


def fill(database, count):
    """Rows as an upload leaves them: an active image each, its location, two properties, a tag; in no order."""
    chance = random.Random(count)
    with sqlite3.connect(database) as connection:
        def rows():
            for index in range(count):
                when = catalogue.moment(chance.randrange(catalogue.SECONDS))
                yield (str(uuid.UUID(int=chance.getrandbits(128), version=4)), f"image number {index}", 1024 + index, when, when)
        connection.executemany(
            "insert into images (id, name, size, virtual_size, status, created_at, updated_at, deleted, disk_format,"
            " container_format, checksum, owner, min_disk, min_ram, protected, visibility, os_hidden, os_hash_algo, os_hash_value)"
            " values (?, ?, ?, null, 'active', ?, ?, 0, 'raw', 'bare', 'd41d8cd98f00b204e9800998ecf8427e', 'admin', 0, 0, 0,"
            " 'public', 0, 'sha512', 'cf83e1357eefb8bd')", rows())
        connection.execute(
            "insert into image_properties (image_id, name, value, created_at, updated_at, deleted)"
            " select id, key, 'x', created_at, updated_at, 0 from images, (select 'os_distro' as key union all select 'architecture')")
        connection.execute(
            "insert into image_tags (image_id, value, created_at, updated_at, deleted) select id, 'tag', created_at, updated_at, 0 from images")
        connection.execute(
            "insert into image_locations (image_id, value, created_at, updated_at, deleted, meta_data, status)"
            " select id, 'file:///nowhere/' || id, created_at, updated_at, 0, '{}', 'active' from images")
    connection.close()


def main():
    top, binaries, venv = sys.argv[1:4]
    wanted = sys.argv[4:] or ["start", "peers", "empty", "create", "save", "lists", "cache", "operator"]
    bench = Bench(top, binaries, venv)
    if "start" in wanted:
        bench.start()
    if "peers" in wanted:
        bench.peers()
    if "empty" in wanted:
        bench.empty()
    source = bench.big_file() if {"create", "save", "remote", "service", "stores"} & set(wanted) else None
    if source:
        if "create" in wanted:
            bench.create(source)
        if "save" in wanted:
            bench.save(source)
        if "remote" in wanted:
            remote(bench, RUNS, fill, source)
        if "service" in wanted:
            service(bench, RUNS, source)
        if "stores" in wanted:
            stores(bench, source, RUNS)
    if "lists" in wanted:
        for count in (10_000, 200_000):
            bench.lists(count)
    if "cache" in wanted:
        CacheBench(bench, RUNS).measure()
    if "thin" in wanted:
        thin(bench, RUNS)
    if "scrubs" in wanted:
        Scrubs(bench, RUNS).measure()
    if "operator" in wanted:
        OperatorBench(bench, RUNS).measure()


main()
