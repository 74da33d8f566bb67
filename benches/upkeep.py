"""What `benches/run thin` and `benches/run scrubs` measure: the space and the time of a thin image in Ceph, and the scrub of
1,000 deleted images in each kind of store, beside the real scrubber.

The servers are those of the tests, on the same machine.
"""
import json
import os
import random
import signal
import subprocess
import time
import uuid

from measure import Row, compare, ignore_children, once

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "tests")
MIB = 1 << 20
LONG_AGO = "2020-01-01 00:00:00"
SCRUBBED = 1_000
# The real scrubber takes half a second for an image in S3.
SCRUBBED_IN_S3 = 100
# Makes an object of four bytes for each name, as the drivers of Glance do.
POPULATE = {
    "s3": """import concurrent.futures as futures, sys, boto3
client = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="glancekey",
                      aws_secret_access_key="glancesecret", region_name="x")
with futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda name: client.put_object(Bucket="bench", Key=name, Body=b"data"), sys.stdin.read().split()))
""",
    "swift": """import sys, swiftclient
client = swiftclient.Connection(sys.argv[1], "service:glance", "glance", auth_version="3",
                                os_options={"user_domain_id": "default", "project_domain_id": "default"})
client.put_container("bench")
for name in sys.stdin.read().split():
    client.put_object("bench", name, b"data")
""",
    "rbd": """import sys, rados, rbd
with rados.Rados(conffile=sys.argv[1], rados_id="glance") as cluster, cluster.open_ioctx("images") as pool:
    for name in sys.stdin.read().split():
        rbd.RBD().create(pool, name, 4, 23, old_format=False, features=61)
        with rbd.Image(pool, name) as image:
            image.write(b"data", 0)
            image.create_snap("snap")
            image.protect_snap("snap")
""",
}


def services(bench, name, *commands, **env):
    """Starts a service of the tests in a directory of its own."""
    directory = bench.path(name)
    for command in (("up", directory, str(os.getpid())), *((command, directory) for command in commands)):
        subprocess.run([os.path.join(TESTS, "stores", name), *command], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **env})
    ignore_children()
    return directory


def stop(name, directory):
    subprocess.run([os.path.join(TESTS, "stores", name), "down", directory], check=True)


def read(directory, name):
    with open(os.path.join(directory, name)) as file:
        return file.read().strip()


def thin(bench, runs):
    """A sparse file of 10 GiB with 200 MiB of data, on a disk of BlueStore's, which counts what it has allocated."""
    ceph = services(bench, "ceph", "manager", CEPH_STORE="bluestore")
    conf = os.path.join(ceph, "ceph.conf")
    try:
        rbd = {"kind": "rbd", "rbd_store_pool": "images", "rbd_store_user": "glance", "rbd_store_ceph_conf": conf,
               "rbd_thin_provisioning": "true"}
        file = {"kind": "file", "filesystem_store_datadir": bench.path("thin-files"), "filesystem_thin_provisioning": "true"}
        deployments = {"into RBD": deployment(bench, rbd), "into files": deployment(bench, file)}
        source = sparse_file(bench.path("thin.raw"))
        rows = [Row(f"image-create {name}", lambda small, path=path: create(bench, path, source, small),
                    after=lambda path=path: empty(bench, path)) for name, path in deployments.items()]
        compare("10 GiB with 200 MiB of data in pieces of 256 KiB", rows, runs, against="image-create into files")
        before = settled(conf)
        create(bench, deployments["into RBD"], source, False)
        pool, raw = (after - was for after, was in zip(settled(conf), before))
        # Objects count up to their last byte there.
        images = json.loads(ceph_command("rbd", conf, "du", "--exact", "--format", "json", "--pool", "images"))
        print(f"  space: pool {pool / MIB:.1f} MiB, allocated {raw / MIB:.1f} MiB, "
              f"rbd du --exact {images['total_used_size'] / MIB:.1f} MiB")
    finally:
        stop("ceph", ceph)


def sparse_file(path):
    chance, total, data, piece, page = random.Random(1), 10 << 30, 200 * MIB, 256 * 1024, 4096
    with open(path, "wb") as file:
        file.truncate(total)
        for slot in chance.sample(range(total // piece // 2), data // piece):
            # At any page, which need not begin an object.
            file.seek(2 * slot * piece + chance.randrange(piece // page) * page)
            file.write(os.urandom(piece))
    return path


def create(bench, path, source, small):
    words = ("image-create", "--name", "thin", "--disk-format", "raw", "--container-format", "bare", "--file", source)
    return once(bench.glance(path, *words), env=bench.env, small=small)


def empty(bench, path):
    """Deletes all images."""
    listed = bench.path("listed")
    once(bench.glance(path, "image", "list", "-f", "value", "-c", "ID"), env=bench.env, stdout=listed)
    with open(listed) as file:
        ids = file.read().split()
    once(bench.glance(path, "image-delete", *ids), env=bench.env)


def ceph_command(program, conf, *words):
    return subprocess.run([program, "-c", conf, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def space(conf):
    """What the pool has stored and what the disk has allocated, in bytes."""
    report = json.loads(ceph_command("ceph", conf, "df", "--format", "json"))
    pool, = (pool["stats"] for pool in report["pools"] if pool["name"] == "images")
    return pool["bytes_used"], report["stats"]["total_used_raw_bytes"]


def settled(conf):
    """The same, once it does not change any more; the manager is told every few seconds."""
    last, same = space(conf), 0
    for _ in range(60):
        time.sleep(2)
        now = space(conf)
        same = same + 1 if now == last else 0
        last = now
        if same == 4:
            break
    return last


def deployment(bench, options, more="", database=None):
    """A deployment with one store; `database` is the address of one that exists, and is empty."""
    path = bench.path(f"store-{uuid.uuid4()}")
    os.mkdir(path)
    database = database or f"sqlite:///{path}/glance.db"
    with open(os.path.join(path, "glance-api.conf"), "w") as file:
        file.write(f"[DEFAULT]\nenabled_backends = it:{options['kind']}\n{more}[database]\n"
                   f"connection = {database}\n[glance_store]\ndefault_backend = it\n"
                   f"[os_glance_staging_store]\nfilesystem_store_datadir = {path}/staging\n"
                   f"[os_glance_tasks_store]\nfilesystem_store_datadir = {path}/tasks\n[it]\n")
        file.writelines(f"{name} = {value}\n" for name, value in options.items() if name != "kind")
    once(bench.ours("glance-manage", "--config-file", os.path.join(path, "glance-api.conf"), "db_sync"), env=bench.env)
    return path


class Scrubs:
    """Needs in GLANCE_BENCH_VENV, beside glance: boto3, python-swiftclient, python-keystoneclient, and python3-rbd of the
    system, by a line with /usr/lib/python3/dist-packages in a file *.pth of its site-packages."""

    def __init__(self, bench, runs):
        self.bench, self.runs = bench, runs
        self.python = bench.peer("python")
        if not self.python:
            raise SystemExit("scrubs: GLANCE_BENCH_VENV is needed")
        # On SQLite, the real scrubber fails as soon as it does several things at a time.
        self.mariadb = bench.path("mariadb")
        up = os.path.join(TESTS, "mariadb", "up")
        subprocess.run([up, self.mariadb, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
        ignore_children()

    def sql(self, text, *words):
        program = ["mariadb", "--no-defaults", "--skip-column-names", f"--socket={self.mariadb}/socket", "--user=root", *words]
        return subprocess.run(program, input=text.encode(), check=True, stdout=subprocess.PIPE).stdout.decode()

    def measure(self):
        try:
            self.all()
        finally:
            os.kill(int(read(self.mariadb, "pid")), signal.SIGKILL)

    def all(self):
        self.file()
        ceph = services(self.bench, "ceph", "gateway")
        try:
            self.rbd(os.path.join(ceph, "ceph.conf"), read(ceph, "fsid"))
            self.s3(f"http://127.0.0.1:{read(ceph, 'rgw.port')}")
        finally:
            stop("ceph", ceph)
        self.swift()

    def file(self):
        files = self.bench.path("scrubbed")
        os.makedirs(files)

        def populate(names):
            for name in names:
                with open(os.path.join(files, name), "w") as file:
                    file.write("data")
        self.compare("files", {"kind": "file", "filesystem_store_datadir": files}, f"file://{files}/", populate,
                     lambda: sum(len(name) == 36 for name in os.listdir(files)))

    def rbd(self, conf, fsid):
        options = {"kind": "rbd", "rbd_store_pool": "images", "rbd_store_user": "glance", "rbd_store_ceph_conf": conf}
        self.compare("RBD", options, (f"rbd://{fsid}/images/", "/snap"), self.populator("rbd", conf),
                     lambda: len(ceph_command("rbd", conf, "ls", "images").split()))

    def s3(self, url):
        options = {"kind": "s3", "s3_store_host": url, "s3_store_access_key": "glancekey",
                   "s3_store_secret_key": "glancesecret", "s3_store_bucket": "bench", "s3_store_bucket_url_format": "path"}
        make = ('import sys, boto3; boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="glancekey", '
                'aws_secret_access_key="glancesecret", region_name="x").create_bucket(Bucket="bench")')
        subprocess.run([self.python, "-c", make, url], check=True)
        self.compare("S3 (gateway of Ceph)", options, f"s3://{url.split('//')[1]}/bench/", self.populator("s3", url), count=SCRUBBED_IN_S3)

    def swift(self):
        swift, cloud = services(self.bench, "swift"), self.bench.path("cloud")
        subprocess.run([os.path.join(TESTS, "realcloud", "up"), cloud, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([os.path.join(TESTS, "stores", "swift"), "keystone", swift, cloud], check=True, stdout=subprocess.DEVNULL)
        ignore_children()
        try:
            with open(os.path.join(cloud, "env")) as file:
                url = dict(line.strip().split("=", 1) for line in file)["KEYSTONE_URL"].strip("'\"")
            options = {"kind": "swift", "swift_store_auth_address": url, "swift_store_user": "service:glance",
                       "swift_store_key": "glance", "swift_store_container": "bench",
                       "swift_store_create_container_on_put": "true", "default_swift_reference": "ref1"}
            address = f"swift+http://service%3Aglance:glance@{url.split('//')[1]}/bench/"
            self.compare("Swift", options, address, self.populator("swift", url))
        finally:
            stop("swift", swift)
            subprocess.run([os.path.join(TESTS, "realcloud", "down"), cloud], check=False)

    def populator(self, kind, *words):
        def populate(names):
            subprocess.run([self.python, "-c", POPULATE[kind], *words], input="\n".join(names).encode(), check=True)
        return populate

    def compare(self, title, options, address, populate, left=None, count=SCRUBBED):
        """Scrubs of ours and of the real program, each of the same objects; `left` counts those that there are."""
        before, after = address if isinstance(address, tuple) else (address, "")
        database = f"scrub_{options['kind']}"
        self.sql(f"create database {database} character set utf8mb4")
        connection = f"mysql+pymysql://root@localhost/{database}?unix_socket={self.mariadb}/socket"
        more = "delayed_delete = true\nscrub_time = 0\nscrub_pool_size = 10\n"
        path = deployment(self.bench, options, more, connection)
        names = [str(uuid.UUID(int=random.Random(index).getrandbits(128), version=4)) for index in range(count)]
        deleted = marked({name: f"{before}{name}{after}" for name in names})

        def waiting():
            self.sql(deleted, database)
            populate(names)

        def scrub(program, small):
            figures = once([program, "--config-file", os.path.join(path, "glance-api.conf")], env=self.bench.env, small=small)
            waits = int(self.sql("select count(*) from image_locations where status = 'pending_delete'", database))
            if waits or (left and left()):
                raise SystemExit(f"scrub of {title}: {waits} images are left by {program}")
            return figures
        programs = (("ours", self.bench.ours("glance-scrubber")[0]), ("Python", self.bench.peer("glance-scrubber")))
        rows = [Row(name, lambda small, program=program: scrub(program, small), before=waiting) for name, program in programs]
        compare(f"scrub of {count:,} images in {title}", rows, self.runs)


def marked(addresses):
    """Statements that make deleted images, whose data waits for the scrubber, all that there is."""
    images = ",".join(f"('{name}', 'gone', 4, 'pending_delete', '{LONG_AGO}', '{LONG_AGO}', '{LONG_AGO}', 1, 0, 0, 0, 'shared', 0)"
                      for name in addresses)
    locations = ",".join(f"('{name}', '{value}', '{LONG_AGO}', '{LONG_AGO}', 1, '{{\"store\": \"it\"}}', 'pending_delete')"
                         for name, value in addresses.items())
    return (f"""delete from image_locations; delete from images;
        insert into images (id, name, size, status, created_at, updated_at, deleted_at, deleted, min_disk, min_ram, protected,
                            visibility, os_hidden) values {images};
        insert into image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status) values {locations};""")
