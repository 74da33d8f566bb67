"""The drivers of Glance for a store: does what lines of standard input ask for, and answers each with a line.

  theirs.py CONFIGURATION STORE

  {"add": ID, "file": PATH, "size": BYTES}   {"url", "size", "checksum", "hash", "metadata"}; 0 is an unknown size
  {"get": URL}                               {"size", "checksum"} of the data that was read
  {"size": URL}                              {"size"}
  {"delete": URL}                            {}

Lines and answers are JSON; a failed call is answered with {"error": NAME OF THE EXCEPTION, "text"}.
"""

import hashlib
import json
import logging
import sys
import warnings

sys.dont_write_bytecode = True
warnings.simplefilter("ignore")

from glance_store import multi_backend as stores  # noqa: E402
from oslo_config import cfg  # noqa: E402

logging.disable(logging.CRITICAL)
configuration, store = sys.argv[1:]
conf = cfg.CONF
conf.register_opt(cfg.DictOpt("enabled_backends", default={}))
conf(["--config-file", configuration], project="glance", prog="glance-api")
stores.register_store_opts(conf)
stores.create_multi_stores(conf)
stores.verify_store()


def call(request):
    if "add" in request:
        with open(request["file"], "rb") as data:
            url, size, checksum, hashed, metadata = stores.add_with_multihash(
                conf, request["add"], data, request["size"], store, "sha512"
            )
        return {"url": url, "size": size, "checksum": checksum, "hash": hashed, "metadata": metadata}
    if "get" in request:
        data, _ = stores.get(request["get"], store)
        digest, size = hashlib.md5(), 0
        for chunk in data:
            digest.update(chunk)
            size += len(chunk)
        return {"size": size, "checksum": digest.hexdigest()}
    if "size" in request:
        return {"size": stores.get_size_from_uri_and_backend(request["size"], store)}
    stores.delete(request["delete"], store)
    return {}


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except Exception as error:  # noqa: BLE001 what it is, is the answer
        answer = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)
