"""What `benches/run operator` measures: a database made, metadata definitions loaded, deleted images purged
and scrubbed, beside the real tools."""
import os
import shutil
import sqlite3

from measure import Row, compare, once

PURGED, SCRUBBED = 100_000, 10_000
# The real scrubber takes 10 ms an image: it is given fewer, and told by the image.
SCRUBBED_BY_PEER = 1_000
LONG_AGO = "2020-01-01 00:00:00.000000"


def identifier(index):
    return f"5f3e9a70-0000-4000-8000-{index:012x}"


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
        self.fill(PURGED, "deleted")
        rows = [self.bench.row(name, argv, before=self.restore)
                for name, argv in self.both("glance-manage", "db", "purge", "--max_rows", "-1")]
        compare(f"purge of what belongs to {PURGED:,} images", rows, self.runs)
        self.restore()
        once(self.bench.ours("glance-manage", "--config-file", self.config, "db", "purge", "--max_rows", "-1"),
             env=self.bench.env)
        with sqlite3.connect(self.database) as database:
            database.execute("pragma wal_checkpoint(truncate)")
        database.close()
        shutil.copyfile(self.database, self.saved)
        rows = [self.bench.row(name, argv, before=self.restore)
                for name, argv in self.both("glance-manage", "db", "purge_images_table", "--max_rows", "-1")]
        compare(f"purge of {PURGED:,} images", rows, self.runs)

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
