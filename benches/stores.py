"""What `benches/run stores` measures: 1 GiB into and out of Ceph (RBD, and S3 and Swift by its gateway) and Swift, by our
program and by the stores' own tools, in turns.

The servers are those of the tests, on the same machine. Needs Ceph's packages, and what `tests/stores/s3 install` and
`tests/stores/swift venv` make.
"""
import os
import subprocess
import uuid

from measure import Row, compare, ignore_children, once

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.join(HERE, "..")
STORES = os.path.join(PROJECT, "tests", "stores")
# An S3 client with the same size of parts, which streams.
BOTO = """import sys, boto3
from boto3.s3.transfer import TransferConfig
verb, port, key, path = sys.argv[1:]
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="glancekey",
                      aws_secret_access_key="glancesecret", region_name="x")
config = TransferConfig(multipart_threshold=10 << 20, multipart_chunksize=10 << 20, max_concurrency=10)
if verb == "make":
    client.create_bucket(Bucket="bench")
elif verb == "put":
    client.upload_file(path, "bench", key, Config=config)
elif verb == "get":
    client.download_file("bench", key, path, Config=config)
elif verb == "delete":
    client.delete_object(Bucket="bench", Key=key)
"""


class StoreBench:
    def __init__(self, bench, source, runs):
        self.bench, self.source, self.runs = bench, source, runs
        self.saved = bench.path("saved")
        self.ceph = self.start("ceph")
        subprocess.run([os.path.join(STORES, "ceph"), "gateway", self.ceph], check=True)
        self.swift = self.start("swift")
        ignore_children()

    def start(self, name):
        directory = self.bench.path(name)
        subprocess.run([os.path.join(STORES, name), "up", directory, str(os.getpid())], check=True,
                       stdout=subprocess.DEVNULL)
        return directory

    def close(self):
        for name, directory in (("ceph", self.ceph), ("swift", self.swift)):
            subprocess.run([os.path.join(STORES, name), "down", directory], check=True)

    def read(self, directory, name):
        with open(os.path.join(directory, name)) as file:
            return file.read().strip()

    def deployment(self, options):
        path = self.bench.path(f"store-{uuid.uuid4()}")
        os.mkdir(path)
        with open(os.path.join(path, "glance-api.conf"), "w") as file:
            file.write("[DEFAULT]\nenabled_backends = it:" + options.pop("kind") + "\n[glance_store]\n"
                       "default_backend = it\n[it]\n")
            file.writelines(f"{name} = {value}\n" for name, value in options.items())
        once(self.bench.ours("glance-manage", "--data-dir", path, "db_sync"), env=self.bench.env)
        return path

    def pair(self, title, options, put, get, env=None, clean=None):
        """`put` and `get` are the tool's command lines, with `{}` for the name of what is stored."""
        path = self.deployment(options)
        env = dict(self.bench.env, **(env or {}))
        ours, theirs = [], []

        def create(small):
            ours.append(str(uuid.uuid4()))
            words = ("image-create", "--id", ours[-1], "--name", "big", "--disk-format", "raw",
                     "--container-format", "bare", "--file", self.source)
            return once(self.bench.glance(path, *words), env=env, small=small)

        def upload(small):
            theirs.append(f"tool-{uuid.uuid4()}")
            return once([word.format(theirs[-1]) for word in put], env=env, small=small)

        def drop():
            if len(ours) > 1:
                once(self.bench.glance(path, "image-delete", ours.pop(0)), env=env)

        def drop_theirs():
            if len(theirs) > 1 and clean:
                name = theirs.pop(0)
                once([word.format(name) for word in clean], env=env)

        compare(f"1 GiB into {title}", [Row("image-create", create, after=drop), Row(put[0].split("/")[-1], upload, after=drop_theirs)],
                self.runs, against=put[0].split("/")[-1])

        def remove():
            if os.path.exists(self.saved):
                os.remove(self.saved)

        def save(small):
            return once(self.bench.glance(path, "image-download", "--file", self.saved, ours[-1]), env=env, small=small)

        def download(small):
            return once([word.format(theirs[-1]) for word in get], env=env, small=small)

        compare(f"1 GiB out of {title}, ours verified",
                [Row("image-download", save, after=remove), Row(get[0].split("/")[-1], download, after=remove)],
                self.runs, against=get[0].split("/")[-1])
        once(self.bench.glance(path, "image-delete", ours[-1]), env=env)
        if clean:
            once([word.format(theirs[-1]) for word in clean], env=env)

    def rbd(self):
        conf = os.path.join(self.ceph, "ceph.conf")
        rbd = ["rbd", "-c", conf, "--id", "glance"]
        self.pair("RBD", {"kind": "rbd", "rbd_store_pool": "images", "rbd_store_user": "glance", "rbd_store_ceph_conf": conf},
                  [*rbd, "import", "--no-progress", self.source, "images/{}"],
                  [*rbd, "export", "--no-progress", "images/{}", self.saved],
                  clean=[*rbd, "rm", "--no-progress", "images/{}"])

    def s3(self):
        port = self.read(self.ceph, "rgw.port")
        python = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(PROJECT, "target")), "s3s", "venv", "bin", "python")
        boto = [python, "-c", BOTO.replace("{", "{{").replace("}", "}}")]
        once([word.format() for word in [*boto, "make", port, "-", "-"]])
        self.pair("S3 (gateway of Ceph)",
                  {"kind": "s3", "s3_store_host": f"http://127.0.0.1:{port}", "s3_store_access_key": "glancekey",
                   "s3_store_secret_key": "glancesecret", "s3_store_bucket": "bench", "s3_store_bucket_url_format": "path"},
                  [*boto, "put", port, "{}", self.source], [*boto, "get", port, "{}", self.saved],
                  clean=[*boto, "delete", port, "{}", "-"])

    def in_swift(self):
        url = self.read(self.swift, "url")
        venv = os.environ.get("GLANCE_TEST_SWIFT_VENV") or os.path.join(
            os.environ.get("CARGO_TARGET_DIR", os.path.join(PROJECT, "target")), "swift-venv")
        swift = [os.path.join(venv, "bin", "swift"), "-q", "-A", f"{url}/auth/v1.0", "-U", "test:tester", "-K", "testing"]
        self.pair("Swift, in segments of 200 MiB",
                  {"kind": "swift", "swift_store_auth_version": 1, "swift_store_auth_address": f"{url}/auth/v1.0",
                   "swift_store_user": "test:tester", "swift_store_key": "testing", "swift_store_container": "bench",
                   "swift_store_create_container_on_put": "true", "swift_store_large_object_size": 200,
                   "swift_store_large_object_chunk_size": 200},
                  [*swift, "upload", "-S", str(200 << 20), "--object-name", "{}", "tool", self.source],
                  [*swift, "download", "-o", self.saved, "tool", "{}"],
                  clean=[*swift, "delete", "tool", "{}"])


def stores(bench, source, runs):
    benchmark = StoreBench(bench, source, runs)
    try:
        benchmark.rbd()
        benchmark.s3()
        benchmark.in_swift()
    finally:
        benchmark.close()
