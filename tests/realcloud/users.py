"""Fill a fresh Keystone: the users admin, demo and other, each in a project of its own name, and the
image service with its own user. Prints the ids of the projects and users as shell variables.

  users.py KEYSTONE_URL GLANCE_URL
"""
import json
import sys
import urllib.error
import urllib.request

KEYSTONE, GLANCE = sys.argv[1:3]
TOKEN = None


def call(method, path, body=None):
    request = urllib.request.Request(KEYSTONE + path, method=method,
                                     data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if TOKEN:
        request.add_header("X-Auth-Token", TOKEN)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, json.loads(answer.read() or b"null")


def find_or_create(kind, name, **fields):
    """The id of a project, user, role or service, made if it is not there."""
    for row in call("GET", f"/{kind}s?name={name}")[1][f"{kind}s"]:
        return row["id"]
    return call("POST", f"/{kind}s", {kind: {"name": name, **fields}})[1][kind]["id"]


def grant(project, user, role):
    call("PUT", f"/projects/{project}/users/{user}/roles/{find_or_create('role', role)}")


login = {"auth": {
    "identity": {"methods": ["password"], "password": {
        "user": {"name": "admin", "domain": {"id": "default"}, "password": "secret"}}},
    "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}
headers, token = call("POST", "/auth/tokens", login)
TOKEN = headers["X-Subject-Token"]

ids = {"ADMIN": (token["token"]["project"]["id"], token["token"]["user"]["id"])}
for name in ("demo", "other"):
    project = find_or_create("project", name, domain_id="default")
    user = find_or_create("user", name, domain_id="default", password=name)
    grant(project, user, "member")
    ids[name.upper()] = (project, user)

project = find_or_create("project", "service", domain_id="default")
user = find_or_create("user", "glance", domain_id="default", password="glance")
grant(project, user, "admin")
grant(project, user, "service")
service = find_or_create("service", "glance", type="image")
if not call("GET", f"/endpoints?service_id={service}")[1]["endpoints"]:
    for interface in ("public", "internal", "admin"):
        call("POST", "/endpoints", {"endpoint": {
            "service_id": service, "interface": interface, "url": GLANCE, "region_id": "RegionOne"}})

for name, (project, user) in ids.items():
    print(f"{name}_PROJECT={project}\n{name}_USER={user}")
