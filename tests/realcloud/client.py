"""What a real Glance shows a user through its own client, as JSON: the ids it lists, the ids of hidden
images it lists, and of each ID its record and the SHA-512 of its data, null where it gives none.

  client.py DIR USER ID…        DIR is that of a cloud started by `up`
"""
import hashlib
import json
import re
import sys

from glanceclient import client, exc
from keystoneauth1 import loading, session

directory, user, *ids = sys.argv[1:]
rc = dict(re.findall(r"OS_(\w+)=(\S+)", open(f"{directory}/{user}.rc").read()))
url = re.search(r"^GLANCE_URL=(\S+)", open(f"{directory}/env").read(), re.M)[1]
login = loading.get_plugin_loader("password").load_from_options(
    auth_url=rc["AUTH_URL"], username=rc["USERNAME"], password=rc["PASSWORD"], project_name=rc["PROJECT_NAME"],
    user_domain_name="Default", project_domain_name="Default")
images = client.Client("2", session=session.Session(auth=login), endpoint_override=url).images


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
