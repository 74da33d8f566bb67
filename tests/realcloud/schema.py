"""Print what a SQLite catalogue is made of, as JSON in a form in which two can be compared.

  schema.py DATABASE
"""
import json
import re
import sqlite3
import sys


def plain(sql):
    """SQL without what means nothing: quotes around names, blanks, the case of words outside literals."""
    parts = re.split(r"('(?:[^']|'')*')", sql or "")
    for i in range(0, len(parts), 2):
        text = re.sub(r"[\"`\[\]]", "", parts[i]).lower()
        text = re.sub(r"\s+", " ", text)
        parts[i] = re.sub(r" ?([(),=<>]) ?", r"\1", text)
    return "".join(parts).strip()


def index(db, row):
    name, unique, origin, partial = row["name"], row["unique"], row["origin"], row["partial"]
    parts = [[r["name"], r["desc"], r["coll"]] for r in db.execute(f'pragma index_xinfo("{name}")') if r["key"]]
    where = db.execute("select sql from sqlite_master where type = 'index' and name = ?", (name,)).fetchone()
    # SQLite numbers the indexes that it makes by itself.
    return ["automatic" if name.startswith("sqlite_autoindex") else name,
            {"unique": unique, "origin": origin, "partial": partial, "columns": parts, "sql": plain(where and where["sql"])}]


def table(db, name, sql):
    columns = [[r["name"], r["type"].upper(), r["notnull"], r["dflt_value"], r["pk"]]
               for r in db.execute(f'pragma table_info("{name}")')]
    keys = sorted([r["table"], r["from"], r["to"], r["on_update"], r["on_delete"], r["match"]]
                  for r in db.execute(f'pragma foreign_key_list("{name}")'))
    indexes = sorted((index(db, r) for r in db.execute(f'pragma index_list("{name}")')), key=json.dumps)
    checks = sorted(re.findall(r"(?:constraint \S+ )?check\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", plain(sql)))
    return {"columns": columns, "foreign_keys": keys, "indexes": indexes, "checks": checks, "sql": plain(sql)}


db = sqlite3.connect(sys.argv[1])
db.row_factory = sqlite3.Row
master = [dict(r) for r in db.execute("select type, name, sql from sqlite_master order by type, name")]
print(json.dumps({
    "tables": {m["name"]: table(db, m["name"], m["sql"]) for m in master if m["type"] == "table"},
    "others": [[m["type"], m["name"], plain(m["sql"])] for m in master if m["type"] in ("view", "trigger")],
    "alembic_version": [list(r) for r in db.execute("select * from alembic_version")],
}, indent=1, sort_keys=True))
