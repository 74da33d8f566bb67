"""The real Glance's own code on a database: `theirs.py CONFIG make` records an image with all that may
belong to one, `theirs.py CONFIG show` prints what it reads of every image, as JSON."""

import json
import sys

from glance.common import config
from glance import context
from glance.db.sqlalchemy import api

config.parse_args(args=[], default_config_files=[sys.argv[1]])
admin = context.RequestContext(is_admin=True, project_id="admin", roles=["admin"], show_deleted=False)


def make():
    api.image_create(admin, {
        "id": "11111111-1111-4111-8111-111111111111", "name": "theirs é", "status": "active", "size": 5,
        "owner": "admin", "visibility": "shared", "disk_format": "raw", "container_format": "bare",
        "min_disk": 1, "min_ram": 2, "properties": {"colour": "blue", "empty": ""},
        "locations": [{"url": "file:///nowhere/1", "metadata": {"a": 1}, "status": "active"}],
    })
    api.image_tag_set_all(admin, "11111111-1111-4111-8111-111111111111", ["one", "two"])
    api.image_member_create(admin, {"image_id": "11111111-1111-4111-8111-111111111111", "member": "acme"})


def show():
    images = {}
    for image in api.image_get_all(admin, filters={"visibility": "all"}, return_tag=True):
        images[image["name"]] = {
            **{name: image[name] for name in (
                "id", "status", "size", "owner", "visibility", "disk_format", "min_disk", "protected", "checksum",
                "os_hash_value", "os_hidden")},
            "created_at": image["created_at"].isoformat(),
            "properties": {p["name"]: p["value"] for p in image["properties"] if not p["deleted"]},
            "tags": sorted(image["tags"]),
            "locations": [[at["url"], at["metadata"], at["status"]] for at in image["locations"]],
            "members": [[m["member"], m["status"]] for m in api.image_member_find(admin, image["id"])],
        }
    print(json.dumps(images))


globals()[sys.argv[2]]()
