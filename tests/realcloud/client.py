"""What a real Glance shows a user through its own client, as JSON: the ids it lists, the ids of hidden
images it lists, and of each ID its record and the SHA-512 of its data, null where it gives none.

  client.py DIR USER ID…        DIR is that of a cloud started by `up`
"""
import hashlib
import json
import sys

sys.dont_write_bytecode = True
from glanceclient import client, exc  # noqa: E402
from login import log_in  # noqa: E402

directory, user, *ids = sys.argv[1:]
url, session = log_in(directory, user)
images = client.Client("2", session=session, endpoint_override=url).images


def data(image):
    """The client checks it against the record's checksum on the way."""
    try:
        body = images.data(image)
    except exc.HTTPException:
        return None
    if body is None or body.wrapped is None:
        return None
    digest = hashlib.sha512()
    for chunk in body:
        digest.update(chunk)
    return digest.hexdigest()


def look(image):
    try:
        record = images.get(image)
    except exc.HTTPNotFound:
        return {"record": None, "data": None}
    return {"record": dict(record), "data": data(image)}


print(json.dumps({
    "listed": sorted(image.id for image in images.list()),
    "hidden": sorted(image.id for image in images.list(filters={"os_hidden": True})),
    "images": {image: look(image) for image in ids},
}))
