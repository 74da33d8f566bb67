"""Runs the real glance-manage once for each job, after one import of it.

Usage: manage.py JOB…, where a job is a JSON list: the URL of a database, then the words of the command.
Prints a JSON list a job: its exit code, and the end of what it said. The jobs run one after the other,
each in a process of its own.
"""
import json
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")

from glance.cmd import manage  # noqa: E402
from glance.db.sqlalchemy import metadata, models, models_metadef  # noqa: E402, F401


def run(url, words, said):
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"[database]\nconnection = {url}\n")
        config.flush()
        sys.argv = ["glance-manage", "--config-file", config.name, *words]
        code = 1
        try:
            code = manage.main() or 0
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code)
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException as error:  # noqa: BLE001
            print(f"{type(error).__name__}: {error}")
        sys.stdout.flush()
    os._exit(code)


for job in sys.argv[1:]:
    url, *words = json.loads(job)
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            run(url, words, said)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        print(json.dumps([os.waitstatus_to_exitcode(status), said.read()[-2000:]]))
