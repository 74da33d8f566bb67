"""How the real Glance reads the bodies of requests that change an image.

  VENV/bin/python patch.py < CASES

CASES is a line of JSON each: a media type and a body. Prints a line of JSON for each: the operations, each as its
name, its path and its value (null where it has none), or the HTTP status of the refusal. A position of a location is
checked as it is for an image with one location.
"""
import json
import sys

import webob.exc
from glance.api.v2 import images
from glance.common import config, wsgi

config.parse_args(args=[], default_config_files=[])
reader = images.RequestDeserializer()
HASHES = "checksum", "os_hash_algo", "os_hash_value"


def location(value):
    hashes = value.get("validation_data", {})
    return {"url": value["url"], "metadata": value["metadata"],
            "validation_data": {name: hashes[name] for name in HASHES if name in hashes}}


def operation(change):
    op, path, value = change["op"], change["path"], change.get("value")
    if path[0] == "locations":
        if len(path) == 2:
            place = images.ImagesController._get_locations_op_pos(None, path[1], 1, True)
            if place is None:
                raise webob.exc.HTTPBadRequest()
            path = ["locations", "-" if path[1] == "-" else str(place)]
        if op != "remove":
            value = [location(one) for one in value] if op == "replace" else location(value)
    return [op, path, value]


for line in sys.stdin:
    media_type, body = json.loads(line)
    request = wsgi.Request.blank("/v2/images/x", method="PATCH", body=body.encode())
    request.headers["Content-Type"] = media_type
    try:
        result = [operation(change) for change in reader.update(request)["changes"]]
    except webob.exc.HTTPException as refusal:
        result = refusal.status_int
    except Exception as failure:
        print(f"{body}: {failure!r}", file=sys.stderr)
        result = 500
    print(json.dumps(result))
