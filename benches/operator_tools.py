"""What `benches/run operator` measures: a database made, metadata definitions loaded, deleted images purged
and scrubbed, beside the real tools."""
import os
import random
import shutil
import sqlite3
import threading
import time
import uuid

import catalogue
from measure import Row, compare, once

PURGED, SCRUBBED = 100_000, 10_000
# The real scrubber takes 10 ms an image: it is given fewer, and told by the image.
SCRUBBED_BY_PEER = 1_000
LONG_AGO = "2020-01-01 00:00:00.000000"


def identifier(index):
    return str(uuid.UUID(int=random.Random(index).getrandbits(128), version=4))


class OperatorBench:
    def __init__(self, bench, runs):
        self.bench, self.runs = bench, runs

    def measure(self):
        self.place = self.bench.path("operator")
        os.makedirs(os.path.join(self.place, "images"), exist_ok=True)
        self.database = os.path.join(self.place, "glance.db")
        self.saved = os.path.join(self.place, "saved.db")
        self.config = os.path.join(self.place, "glance-api.conf")
        with open(self.config, "w") as file:
            file.write(f"[DEFAULT]\ndelayed_delete = true\nscrub_pool_size = 4\n"
                       f"[database]\nconnection = sqlite:///{self.database}\n"
                       f"[glance_store]\nstores = file\nfilesystem_store_datadir = {self.place}/images\n")
        self.sync()
        self.metadefs()
        self.purge()
        self.scrub()
        shutil.rmtree(self.place)

    def both(self, program, *words):
        """The same command of ours and, where it is there, of the real ones."""
        programs = [("ours", self.bench.ours(program)[0]), ("Python", self.bench.peer(program))]
        return [(name, [path, "--config-file", self.config, *words]) for name, path in programs if path]

    def remove(self):
        for name in os.listdir(self.place):
            if name.startswith("glance.db"):
                os.remove(os.path.join(self.place, name))

    def restore(self):
        self.remove()
        shutil.copyfile(self.saved, self.database)

    def sync(self):
        rows = [self.bench.row(name, argv, before=self.remove) for name, argv in self.both("glance-manage", "db_sync")]
        compare("db_sync of an empty database", rows, self.runs)

    def make(self):
        self.remove()
        once(self.bench.ours("glance-manage", "--config-file", self.config, "db_sync"), env=self.bench.env)

    def metadefs(self):
        peer = self.bench.peer("glance-manage")
        if not peer:
            return
        # The definitions come with the real programs.
        path = os.path.join(os.path.dirname(os.path.dirname(peer)), "etc", "glance", "metadefs")
        rows = [self.bench.row(name, [*argv, path], before=self.make)
                for name, argv in self.both("glance-manage", "db_load_metadefs")]
        compare("db_load_metadefs of the official definitions", rows, self.runs)

    def fill(self, count, status):
        """Deleted images, each with a location, a property and a tag."""
        self.make()
        ids = [identifier(index) for index in range(count)]
        with sqlite3.connect(self.database) as database:
            database.executemany(
                "insert into images (id, name, size, status, created_at, updated_at, deleted_at, deleted, min_disk, min_ram,"
                f" protected, visibility, os_hidden) values (?, 'gone', 4, '{status}', '{LONG_AGO}', '{LONG_AGO}',"
                f" '{LONG_AGO}', 1, 0, 0, 0, 'shared', 0)", ((image,) for image in ids))
            database.executemany(
                "insert into image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status)"
                f" values (?, ?, '{LONG_AGO}', '{LONG_AGO}', 1, '{{}}', '{status}')",
                ((image, f"file://{self.place}/images/{image}") for image in ids))
            database.executemany(
                "insert into image_properties (image_id, name, value, created_at, deleted_at, deleted)"
                f" values (?, 'os', 'plan9', '{LONG_AGO}', '{LONG_AGO}', 1)", ((image,) for image in ids))
            database.executemany(
                "insert into image_tags (image_id, value, created_at, deleted_at, deleted)"
                f" values (?, 'old', '{LONG_AGO}', '{LONG_AGO}', 1)", ((image,) for image in ids))
        database.close()
        shutil.copyfile(self.database, self.saved)

    def purge(self):
        """Of twice as many images, half of them deleted: what belongs to these, then they themselves."""
        self.make()
        catalogue.fill(self.database, 2 * PURGED, deleted=0.5, waiting=0)
        shutil.copyfile(self.database, self.saved)
        details = ["image_properties", "image_tags", "image_locations", "image_members", "tasks"]
        tasks = "delete from task_info where task_id in (select id from tasks where deleted = 1);"
        for what, tables, first in (("purge", details, tasks), ("purge_images_table", ["images"], "")):
            words = ("db", what, "--max_rows", "-1")
            rows = [self.bench.row(name, argv, before=self.restore) for name, argv in self.both("glance-manage", *words)]
            sql = first + "".join(f"delete from {table} where deleted = 1;" for table in tables)
            rows.append(self.bench.row("sqlite3", ["sqlite3", self.database, sql], before=self.restore))
            compare(f"{what} of {PURGED:,} images of {2 * PURGED:,}", rows, self.runs, against="sqlite3")
            self.restore()
            for name, argv in self.both("glance-manage", *words)[:1]:
                print(f"  a writer beside it waits at most {1000 * self.longest_wait(argv):.0f} ms")
            with sqlite3.connect(self.database) as database:
                database.execute("pragma wal_checkpoint(truncate)")
            database.close()
            shutil.copyfile(self.database, self.saved)

    def longest_wait(self, argv):
        """The longest transaction, in seconds, of one who writes all the time while a program runs."""
        longest, stop = [0], threading.Event()

        def write():
            database = sqlite3.connect(self.database, timeout=60, isolation_level=None)
            while not stop.wait(0.02):
                begun = time.monotonic()
                database.execute("begin immediate")
                database.execute("insert or replace into node_reference values (1, ?)", (str(begun),))
                database.execute("commit")
                longest[0] = max(longest[0], time.monotonic() - begun)
            database.close()
        writer = threading.Thread(target=write)
        writer.start()
        once(argv, env=self.bench.env)
        stop.set()
        writer.join()
        return longest[0]

    def scrub(self):
        def waiting(count):
            self.restore()
            for index in range(count):
                with open(os.path.join(self.place, "images", identifier(index)), "w") as file:
                    file.write("data")
        for count, only in ((SCRUBBED, "ours"), (SCRUBBED_BY_PEER, None)):
            self.fill(count, "pending_delete")
            rows = [self.bench.row(name, argv, before=lambda: waiting(count))
                    for name, argv in self.both("glance-scrubber") if only in (None, name)]
            compare(f"scrub of {count:,} images", rows, self.runs)
