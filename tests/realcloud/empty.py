"""Make the Glance of a cloud forget every image: every row but the schema's version and the cache's
node, every stored file.

  empty.py DIR            DIR is that of a cloud started by `up`
"""
import pathlib
import sqlite3
import sys


def empty(cloud):
    glance = pathlib.Path(cloud, "glance")
    db = sqlite3.connect(glance / "glance.db", timeout=60)
    db.execute("pragma foreign_keys = off")
    for (table,) in list(db.execute("select name from sqlite_master where type = 'table'")):
        if table not in ("alembic_version", "node_reference", "sqlite_sequence"):
            db.execute(f'delete from "{table}"')
    db.commit()
    db.close()
    for store in ("images", "images2", "staging", "tasks", "cache"):
        for file in (glance / store).rglob("*"):
            if file.is_file() and not file.name.endswith(".db"):
                file.unlink(missing_ok=True)


if __name__ == "__main__":
    empty(sys.argv[1])
