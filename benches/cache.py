"""What `benches/run cache` measures: 10,000 cached files, listed and half of them pruned, with the
accounts in either database, beside the Python pruner."""
import os
import shutil
import sqlite3

from measure import Row, compare, once

COUNT, SIZE = 10_000, 10
LIMIT = COUNT * SIZE // 2
NODE = "http://127.0.0.1:9292"


class CacheBench:
    def __init__(self, bench, runs):
        self.bench, self.runs = bench, runs

    def measure(self):
        for driver in ("sqlite", "centralized_db"):
            path = self.bench.data_dir()
            self.cache = os.path.join(path, "cache")
            self.database = os.path.join(self.cache, "cache.db") if driver == "sqlite" else os.path.join(path, "glance.db")
            config = os.path.join(path, "glance-api.conf")
            with open(config, "w") as file:
                file.write(f"[DEFAULT]\nimage_cache_driver = {driver}\nimage_cache_max_size = {LIMIT}\n"
                           f"image_cache_dir = {self.cache}\nworker_self_reference_url = {NODE}\n"
                           f"[database]\nconnection = sqlite:///{path}/glance.db\n")
            # Makes what the driver needs.
            once(self.bench.ours("glance-cache-manage", "--config-file", config, "clean"), env=self.bench.env)
            self.fill(driver)
            ours = self.bench.ours("glance-cache-manage", "--config-file", config)
            rows = [self.bench.row("list-cached", [*ours, "list-cached"]),
                    self.bench.row("cache-list", self.bench.ours("glance", "--config-file", config, "cache-list"))]
            compare(f"list of {COUNT:,} cached images, {driver}", rows, self.runs)
            rows = [Row("prune", lambda small: self.prune([*ours, "prune"], small), before=lambda: self.fill(driver))]
            peer = self.bench.peer("glance-cache-pruner")
            if peer and driver == "sqlite":
                argv = [peer, "--config-file", config]
                rows.append(Row("Python", lambda small: self.prune(argv, small), before=lambda: self.fill(driver)))
            compare(f"prune of half of {COUNT:,} cached images, {driver}", rows, self.runs)
            shutil.rmtree(path)

    def fill(self, driver):
        ids = [f"5f3e9a70-0000-4000-8000-{index:012x}" for index in range(COUNT)]
        for image in ids:
            with open(os.path.join(self.cache, image), "w") as file:
                file.write("x" * SIZE)
        with sqlite3.connect(self.database) as database:
            database.execute("delete from cached_images")
            if driver == "sqlite":
                database.executemany(
                    "insert into cached_images (image_id, last_accessed, last_modified, size, hits) values (?, ?, 1000, ?, 0)",
                    ((image, 1_000_000 + index * 7919 % COUNT, SIZE) for index, image in enumerate(ids)))
            else:
                database.execute("insert or ignore into node_reference (node_reference_url) values (?)", (NODE,))
                node, = database.execute("select node_reference_id from node_reference").fetchone()
                database.executemany(
                    "insert into cached_images (image_id, last_accessed, last_modified, size, hits, node_reference_id)"
                    " values (?, ?, '2026-01-01 00:00:00.000000', ?, 0, ?)",
                    ((image, f"2026-01-02 00:00:00.{index * 7919 % COUNT:06}", SIZE, node) for index, image in enumerate(ids)))
        database.close()

    def prune(self, argv, small):
        figures = once(argv, env=self.bench.env, small=small)
        left = sum(1 for name in os.listdir(self.cache) if len(name) == 36)
        if left != COUNT // 2:
            raise SystemExit(f"{argv}: {left} files are left of {COUNT}")
        return figures
