"""Upstream's drivers of stores: does what the lines of standard input ask for, and answers each with a line.

  upstream.py CONFIG    its section [s] is the store

  ["add", ID, FILE, SIZE]   the address, and the metadata of the location; SIZE 0 is an unknown one
  ["get", ADDRESS]          the size and the MD5 of the data
  ["size", ADDRESS]
  ["delete", ADDRESS]

Lines and answers are JSON; an error is {"error": …}.
"""
import hashlib
import json
import sys
import warnings

sys.dont_write_bytecode = True
warnings.simplefilter("ignore")

from glance_store import multi_backend as stores  # noqa: E402
from oslo_config import cfg  # noqa: E402

conf = cfg.CONF
conf.register_opts([cfg.DictOpt("enabled_backends")])
conf(["--config-file", sys.argv[1]])
stores.register_store_opts(conf)
stores.create_multi_stores(conf)


def answer(what, *words):
    if what == "add":
        image, path, size = words
        with open(path, "rb") as file:
            added = stores.add_with_multihash(conf, image, file, size, "s", "sha512")
        return added[0], added[4]
    if what == "get":
        data, _ = stores.get(words[0], "s")
        digest, size = hashlib.md5(), 0
        for chunk in data:
            digest.update(chunk)
            size += len(chunk)
        return size, digest.hexdigest()
    if what == "size":
        return stores.get_size_from_uri_and_backend(words[0], "s")
    return stores.delete(words[0], "s")


for line in sys.stdin:
    try:
        said = answer(*json.loads(line))
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
