"""Fill a fresh Keystone: the users admin, demo and other, each in a project of its own name, and the
image service with its own user. Prints the ids of the projects and users as shell variables.

  users.py KEYSTONE_URL GLANCE_URL
"""
import sys

sys.dont_write_bytecode = True
from identity import Keystone  # noqa: E402

url, glance = sys.argv[1:3]
keystone = Keystone(url, "admin", "secret", "admin")
ids = {"ADMIN": (keystone.project, keystone.user)}
for name in ("demo", "other"):
    project = keystone.find_or_create("project", name, domain_id="default")
    user = keystone.find_or_create("user", name, domain_id="default", password=name)
    keystone.grant(project, user, "member")
    ids[name.upper()] = (project, user)

project = keystone.find_or_create("project", "service", domain_id="default")
user = keystone.find_or_create("user", "glance", domain_id="default", password="glance")
keystone.grant(project, user, "admin")
keystone.grant(project, user, "service")
service = keystone.find_or_create("service", "glance", type="image")
if not keystone.call("GET", f"/endpoints?service_id={service}")[1]["endpoints"]:
    for interface in ("public", "internal", "admin"):
        keystone.call("POST", "/endpoints", {"endpoint": {
            "service_id": service, "interface": interface, "url": glance, "region_id": "RegionOne"}})

# Whom the identity provider knows has the role member in the project demo, by a group.
group = keystone.find_or_create("group", "federated", domain_id="default")
role = keystone.find_or_create("role", "member")
keystone.call("PUT", f"/projects/{ids['DEMO'][0]}/groups/{group}/roles/{role}")
federation = "/OS-FEDERATION"
keystone.put_once(f"{federation}/identity_providers/idp", {"identity_provider": {"enabled": True}})
keystone.put_once(f"{federation}/mappings/idp", {"mapping": {"rules": [{
    "local": [{"user": {"name": "{0}"}}, {"group": {"id": group}}],
    "remote": [{"type": "OIDC-preferred_username"}]}]}})
keystone.put_once(f"{federation}/identity_providers/idp/protocols/openid", {"protocol": {"mapping_id": "idp"}})

for name, (project, user) in ids.items():
    print(f"{name}_PROJECT={project}\n{name}_USER={user}")
