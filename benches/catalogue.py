"""A catalogue as a cloud has after some years: random ids, times in no order, children of varying number.

    benches/catalogue.py DATABASE IMAGES [--deleted SHARE] [--waiting SHARE] [--seed N] [--data DIRECTORY]
    benches/catalogue.py --mariadb SOCKET SCHEMA FROM     copies the SQLite database FROM to a server

DATABASE is an SQLite file at the head of the schema, as `glance-manage db_sync` makes it. Of the images the share
`deleted` was deleted more than a year ago, and the share `waiting` waits for the scrubber. The same seed makes the
same rows.
"""
import argparse
import random
import sqlite3
import subprocess
import tempfile
import uuid
from datetime import datetime, timedelta

# One table is filled at a time, with this many rows in memory.
BATCH = 10_000
PROPERTIES = ["architecture", "hw_disk_bus", "hw_firmware_type", "hw_machine_type", "hw_rng_model", "hw_scsi_model",
              "hypervisor_type", "os_admin_user", "os_distro", "os_type", "os_version", "owner_specified.openstack.md5",
              "owner_specified.openstack.object", "owner_specified.openstack.sha256", "stores"]
TAGS = ["ci", "golden", "lts", "nightly", "production", "snapshot", "tested"]
TABLES = ["images", "image_properties", "image_tags", "image_locations", "image_members", "tasks", "task_info"]
EPOCH = datetime(2019, 1, 1)
SECONDS = 6 * 365 * 86400


def moment(seconds):
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.000000")


def rows_of(index, seed, options):
    """The rows that belong to one image, by table."""
    chance = random.Random(f"{seed}/{index}")
    image = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    created = chance.randrange(SECONDS - 400 * 86400)
    updated = created + chance.randrange(86400)
    kind = chance.random()
    if kind < options.deleted:
        status, gone = "deleted", moment(updated + chance.randrange(30 * 86400))
    elif kind < options.deleted + options.waiting:
        status, gone = "pending_delete", moment(updated + chance.randrange(30 * 86400))
    else:
        status, gone = ("queued" if chance.random() < 0.02 else "active"), None
    deleted = int(gone is not None)
    # Few projects own most of the images.
    owner = f"{int(chance.paretovariate(0.8)) % 2000:032x}"
    visibility = chance.choices(["shared", "private", "public", "community"], [80, 15, 3, 2])[0]
    times = (moment(created), moment(updated), gone, deleted)
    size = None if status == "queued" else chance.randrange(1 << 34)
    hashed = [None, None, None] if status == "queued" else [f"{chance.getrandbits(128):032x}", "sha512",
                                                            f"{chance.getrandbits(512):0128x}"]
    yield "images", (image, f"{chance.choice(TAGS)}-{index}", size, size, status, *times, chance.choice(["qcow2", "raw"]),
                     "bare", hashed[0], owner, 0, 0, 0, visibility, int(chance.random() < 0.03), hashed[1], hashed[2])
    for name in chance.sample(PROPERTIES, chance.randint(2, 8)):
        yield "image_properties", (image, name, f"{chance.getrandbits(64):x}", *times)
    for tag in chance.sample(TAGS, chance.randint(0, 3)):
        yield "image_tags", (image, tag, *times)
    if status != "queued":
        for place in ["images", "other"][:1 + (chance.random() < 0.03)]:
            address = f"file://{options.data}/{place}/{image}"
            yield "image_locations", (image, address, *times, '{"store": "%s"}' % place, status)
    if visibility == "shared" and chance.random() < 0.05:
        for member in {chance.randrange(2000) for _ in range(chance.randint(1, 3))}:
            yield "image_members", (image, f"{member:032x}", 0, *times, chance.choice(["accepted", "pending"]))
    if chance.random() < 0.05:
        task = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        yield "tasks", (task, "api_image_import", "success", owner, times[1], *times, image)
        yield "task_info", (task, "{}")


COLUMNS = {
    "images": "id, name, size, virtual_size, status, created_at, updated_at, deleted_at, deleted, disk_format,"
              " container_format, checksum, owner, min_disk, min_ram, protected, visibility, os_hidden, os_hash_algo,"
              " os_hash_value",
    "image_properties": "image_id, name, value, created_at, updated_at, deleted_at, deleted",
    "image_tags": "image_id, value, created_at, updated_at, deleted_at, deleted",
    "image_locations": "image_id, value, created_at, updated_at, deleted_at, deleted, meta_data, status",
    "image_members": "image_id, member, can_share, created_at, updated_at, deleted_at, deleted, status",
    "tasks": "id, type, status, owner, expires_at, created_at, updated_at, deleted_at, deleted, image_id",
    "task_info": "task_id, input",
}


def fill(database, images, deleted=0.05, waiting=0.05, seed=1, data="/nowhere"):
    """Adds so many images to the SQLite file `database`."""
    options = argparse.Namespace(deleted=deleted, waiting=waiting, data=data)
    inserts = {table: f"insert into {table} ({columns}) values ({','.join('?' * len(columns.split(',')))})"
               for table, columns in COLUMNS.items()}
    with sqlite3.connect(database) as connection:
        for pragma in ("synchronous = off", "foreign_keys = off", "cache_size = -262144"):
            connection.execute(f"pragma {pragma}")
        for begin in range(0, images, BATCH):
            batch = {table: [] for table in COLUMNS}
            for index in range(begin, min(begin + BATCH, images)):
                for table, row in rows_of(index, seed, options):
                    batch[table].append(row)
            for table, rows in batch.items():
                connection.executemany(inserts[table], rows)
        connection.commit()
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def copy(socket, schema, database):
    """Copies the rows of an SQLite file to a schema of a MariaDB server that has the tables."""
    client = ["mariadb", "--no-defaults", "--user=root", f"--socket={socket}", "--local-infile=1", schema]
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for table in TABLES:
        names = [row[1] for row in source.execute(f"pragma table_info({table})")]
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
            for row in source.execute(f"select * from {table}"):
                file.write("\t".join("\\N" if value is None else str(value) for value in row) + "\n")
            file.flush()
            load = (f"set foreign_key_checks = 0, unique_checks = 0; load data local infile '{file.name}' into table {table}"
                    f" character set utf8 ({', '.join(names)})")
            subprocess.run([*client, "-e", load], check=True)
    source.close()
    subprocess.run([*client, "-e", "analyze table " + ", ".join(TABLES)], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mariadb", nargs=3, metavar=("SOCKET", "SCHEMA", "FROM"))
    parser.add_argument("database", nargs="?")
    parser.add_argument("images", nargs="?", type=int)
    parser.add_argument("--deleted", type=float, default=0.05)
    parser.add_argument("--waiting", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", default="/nowhere")
    words = parser.parse_args()
    if words.mariadb:
        copy(*words.mariadb)
    elif words.images is None:
        parser.error("DATABASE and IMAGES are needed")
    else:
        fill(words.database, words.images, words.deleted, words.waiting, words.seed, words.data)


if __name__ == "__main__":
    main()
