"""What Glance's own driver does with an RBD store; see tests/suite/real/rbd.rs.

Usage: theirs.py CONFIGURATION STORE; then a line of JSON for each call on standard input:

    {"add": ID, "file": PATH, "size": BYTES or 0}   -> {"url", "size", "checksum", "hash", "metadata"}
    {"get": URL, "file": PATH}                      -> {"size"}
    {"delete": URL}                                 -> {}

A failed call is answered by {"error": NAME OF THE EXCEPTION, "text"}.
"""

import json
import logging
import sys

from glance_store import multi_backend
from oslo_config import cfg

logging.disable(logging.CRITICAL)
configuration, store = sys.argv[1:]
conf = cfg.CONF
conf.register_opt(cfg.DictOpt("enabled_backends", default={}))
conf(["--config-file", configuration], project="glance", prog="glance-api")
multi_backend.register_store_opts(conf)
multi_backend.create_multi_stores(conf)
multi_backend.verify_store()


def call(request):
    if "add" in request:
        with open(request["file"], "rb") as data:
            url, size, checksum, hashed, metadata = multi_backend.add_with_multihash(
                conf, request["add"], data, request["size"], store, "sha512"
            )
        return {"url": url, "size": size, "checksum": checksum, "hash": hashed, "metadata": metadata}
    if "get" in request:
        data, size = multi_backend.get(request["get"], store)
        with open(request["file"], "wb") as target:
            for chunk in data:
                target.write(chunk)
        return {"size": size}
    multi_backend.delete(request["delete"], store)
    return {}


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except Exception as error:  # noqa: BLE001 what it is, is the answer
        answer = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)
