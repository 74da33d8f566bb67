"""What the real Glance notifies others of.

  VENV/bin/python notifications.py

Prints a line of JSON for each notification of one object of each kind: its type and its payload. Where the payload has
the present moment, it has the word "now".
"""
import datetime
import json
from types import SimpleNamespace
from unittest import mock

from glance import notifier
from glance.common import timeutils

BEFORE = datetime.datetime(2026, 1, 2, 3, 4, 5)
AFTER = datetime.datetime(2026, 1, 2, 3, 4, 6)
TIMES = {"created_at": BEFORE, "updated_at": AFTER}
isotime = timeutils.isotime
mock.patch.object(timeutils, "isotime", lambda at=None, **rest: isotime(at, **rest) if at else "now").start()


class Printer:
    def info(self, kind, payload):
        print(json.dumps([kind, payload]))

    error = info


def repo(kind, *more):
    context = SimpleNamespace(project_id="p", user_id="u")
    return kind(mock.MagicMock(), *more, context, Printer())


def thing(**fields):
    return SimpleNamespace(base=mock.MagicMock(), **fields)


image = thing(
    image_id="i", name="n", status="active", min_disk=1, min_ram=2, protected=True, checksum="c", owner="o",
    disk_format="raw", container_format="bare", size=3, virtual_size=4, visibility="public",
    extra_properties={"os_glance_importing_to_stores": "a,b", "os_glance_failed_import": "", "k": "v"}, tags=["t"],
    set_data=lambda *args, **more: None, **TIMES)
images = repo(notifier.ImageRepoProxy)
images.add(image)
images.save(image)
images.remove(image)
data = notifier.ImageProxy(image, SimpleNamespace(project_id="p", user_id="u"), Printer())
data.set_data(b"", backend="fast")
image.status = "queued"
data.set_data(b"")
for sent in (b"123", b"1"):
    image.get_data = lambda offset, chunk_size: [sent]
    list(data.get_data())

member = thing(image_id="i", member_id="m", status="pending", **TIMES)
members = repo(notifier.ImageMemberRepoProxy, image)
members.add(member)
members.save(member)
members.remove(member)

task = thing(task_id="t", type="import", status="success", owner="o", message="secret", expires_at=AFTER,
             begin_processing=mock.Mock(), succeed=mock.Mock(), fail=mock.Mock(), **TIMES)
repo(notifier.TaskRepoProxy).add(task)
running = repo(notifier.TaskProxy)
running.repo = running.base = task
running.succeed("result")
running.fail("secret")

namespace = thing(namespace="N", display_name="D", protected=False, visibility="private", owner="o",
                  description="d", **TIMES)
namespaces = repo(notifier.MetadefNamespaceRepoProxy)
namespaces.add(namespace)
namespace._old_namespace = "M"
namespaces.save(namespace)
namespaces.remove(namespace)
namespaces.remove_objects(namespace)
namespaces.remove_properties(namespace)
namespaces.remove_tags(namespace)

FIELDS = {"type": "string", "title": "T", "description": None, "default": "", "minimum": 0, "maximum": 5, "enum": ["x"],
          "pattern": None, "minLength": 1, "maxLength": None, "confidential": False, "items": None,
          "uniqueItems": True, "minItems": None, "maxItems": None, "additionalItems": None}
PARTS = [
    (notifier.MetadefObjectRepoProxy,
     {"properties": {"p": SimpleNamespace(**FIELDS)}, "required": ["p"], "description": "d", **TIMES}),
    (notifier.MetadefPropertyRepoProxy, {"schema": {name: value for name, value in FIELDS.items() if value is not None}}),
    (notifier.MetadefTagRepoProxy, TIMES),
    (notifier.MetadefResourceTypeRepoProxy, {"prefix": "p_", "properties_target": None, **TIMES}),
]
for kind, fields in PARTS:
    parts = repo(kind)
    # What is created has the name of its namespace; what is changed, the namespace.
    parts.add(thing(namespace="N", name="x", **fields))
    whole = SimpleNamespace(namespace="N")
    changed = thing(namespace=whole, name="x", _old_name="w", **fields)
    if kind is not notifier.MetadefResourceTypeRepoProxy:
        parts.save(changed)
    parts.remove(changed)
