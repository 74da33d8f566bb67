"""Forms of clouds.yaml and openrc, as public tools write them, tried with ours and with the real client.

  shapes.py DIR OURS [WORD]      DIR as `up` makes it, OURS a program named openstack; only shapes with WORD

Prints a table: what `image list` of each came to, in exit code and names or the first line of what was said. Exits
with 1 where one of ours fails that the real client does.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

sys.dont_write_bytecode = True
from federated import token  # noqa: E402
from identity import Keystone  # noqa: E402

top, ours = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
known = dict(line.split("=", 1) for line in (top / "env").read_text().splitlines())
url, glance = known["KEYSTONE_URL"], known["GLANCE_URL"]
root = url.removesuffix("/v3")
admin = Keystone(url, "admin", "secret", "admin")
demo = Keystone(url, "demo", "demo", "demo")
other = Keystone(url, "other", "other", "other")
credential = demo.call("POST", f"/users/{demo.user}/application_credentials", {
    "application_credential": {"name": "shape-" + uuid.uuid4().hex}})[1]["application_credential"]
digits = admin.find_or_create("user", "digits", domain_id="default", password="007")
admin.grant(demo.project, digits, "member")
role = admin.find_or_create("role", "member")
trust = demo.call("POST", "/OS-TRUST/trusts", {"trust": {
    "trustor_user_id": demo.user, "trustee_user_id": other.user, "project_id": demo.project,
    "impersonation": True, "roles": [{"id": role}]}})[1]["trust"]["id"]
admin.call("PUT", f"/system/users/{admin.user}/roles/{admin.find_or_create('role', 'admin')}")

DOMAINS = {"OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}
LOGIN = {"OS_AUTH_URL": url, "OS_USERNAME": "demo", "OS_PASSWORD": "demo", "OS_PROJECT_NAME": "demo", **DOMAINS}
V3 = {"OS_IDENTITY_API_VERSION": "3"}
AUTH = f"auth_url: {url}, username: demo, password: demo, project_name: demo, " \
       "user_domain_name: Default, project_domain_name: Default"
OIDC = {"OS_AUTH_URL": url, "OS_IDENTITY_PROVIDER": "idp", "OS_PROTOCOL": "openid", "OS_CLIENT_ID": "glance-cli",
        "OS_CLIENT_SECRET": "client-secret", "OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_DISCOVERY_ENDPOINT": f"{root}/idp/.well-known/openid-configuration"}
FEDERATED = f"auth_url: {url}, identity_provider: idp, protocol: openid, project_name: demo, " \
            "project_domain_name: Default"


def clouds(text, name="clouds.yaml", **files):
    return {name: text, **{key.replace("__", ".").replace("_", "-"): value for key, value in files.items()}}


def one(more="", auth=AUTH):
    return clouds(f"clouds:\n  mine:\n    auth: {{{auth}}}\n    region_name: RegionOne\n{more}")


MINE = {"OS_CLOUD": "mine"}
# Name, variables, files, options.
SHAPES = [
    ("devstack openrc", {**LOGIN, **V3, "OS_AUTH_URL": root, "OS_TENANT_NAME": "demo", "OS_AUTH_TYPE": "password",
                         "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_CACERT": "",
                         "OS_USER_DOMAIN_NAME": "", "OS_PROJECT_DOMAIN_NAME": "", "OS_VOLUME_API_VERSION": "3",
                         "OS_REGION_NAME": "RegionOne"}, {}, []),
    ("devstack clouds.yaml, of several", {"OS_CLOUD": "devstack-alt"}, clouds(
        f"clouds:\n  devstack: {{auth: {{{AUTH}}}}}\n  devstack-alt:\n    auth:\n      auth_url: {root}\n"
        "      password: other\n      project_domain_id: default\n      project_name: other\n"
        "      user_domain_id: default\n      username: other\n    identity_api_version: '3'\n"
        "    region_name: RegionOne\n    volume_api_version: '3'\nfunctional:\n  image_name: cirros\n"), []),
    ("kolla admin-openrc.sh", {**LOGIN, **V3, "OS_TENANT_NAME": "demo", "OS_INTERFACE": "internal",
                               "OS_ENDPOINT_TYPE": "internalURL", "OS_MANILA_ENDPOINT_TYPE": "internalURL",
                               "OS_REGION_NAME": "RegionOne", "OS_AUTH_PLUGIN": "password"}, {}, []),
    ("kolla clouds.yaml, internal", {"OS_CLOUD": "kolla-internal"}, clouds(
        f"clouds:\n  kolla: {{auth: {{{AUTH}}}, region_name: RegionOne}}\n"
        f"  kolla-internal: {{auth: {{{AUTH}}}, interface: internal, region_name: RegionOne}}\n"), []),
    ("kolla clouds.yaml, system", {"OS_CLOUD": "kolla-system"}, clouds(
        f"clouds:\n  kolla-system:\n    auth:\n      auth_url: {url}\n      system_scope: all\n"
        "      user_domain_name: Default\n      username: admin\n      password: secret\n"), []),
    ("TripleO overcloudrc", {**LOGIN, **V3, "OS_NO_CACHE": "True", "OS_CLOUDNAME": "overcloud", "NOVA_VERSION": "1.1",
                             "COMPUTE_API_VERSION": "1.1", "OS_IMAGE_API_VERSION": "2", "OS_AUTH_TYPE": "password",
                             "OS_VOLUME_API_VERSION": "3", "no_proxy": ",127.0.0.1", "PYTHONWARNINGS": "ignore"}, {}, []),
    ("TripleO overcloudrc of Newton (v2.0)", {"OS_AUTH_URL": f"{root}/v2.0", "OS_USERNAME": "demo",
                                              "OS_PASSWORD": "demo", "OS_TENANT_NAME": "demo", "OS_NO_CACHE": "True"},
     {}, []),
    ("openstack-ansible openrc", {**LOGIN, **V3, "OS_ENDPOINT_TYPE": "internalURL", "OS_INTERFACE": "internalURL",
                                  "OS_NO_CACHE": "1", "OS_TENANT_NAME": "demo", "OS_AUTH_VERSION": "3",
                                  "CINDER_ENDPOINT_TYPE": "internalURL", "NOVA_ENDPOINT_TYPE": "internalURL"}, {}, []),
    ("openstack-ansible clouds.yaml", {"OS_CLOUD": "default"}, clouds(
        f"clouds:\n  default:\n    auth:\n      auth_url: {url}\n      project_name: demo\n      tenant_name: demo\n"
        "      username: demo\n      password: demo\n      user_domain_name: Default\n      project_domain_name: Default\n"
        "    region_name: RegionOne\n    interface: internal\n    identity_api_version: \"3\"\n"), []),
    ("Horizon openrc", {**LOGIN, **V3, "OS_PROJECT_ID": demo.project, "OS_PROJECT_DOMAIN_ID": "default",
                        "OS_PROJECT_DOMAIN_NAME": "", "OS_INTERFACE": "public", "OS_REGION_NAME": "RegionOne"}, {}, []),
    ("Horizon clouds.yaml without a password", {"OS_CLOUD": "openstack"}, clouds(
        f"clouds:\n  openstack:\n    auth:\n      auth_url: {url}\n      username: \"demo\"\n"
        f"      project_id: {demo.project}\n      project_name: \"demo\"\n      user_domain_name: \"Default\"\n"
        "    region_name: \"RegionOne\"\n    interface: \"public\"\n    identity_api_version: 3\n"), []),
    ("Horizon clouds.yaml and secure.yaml", {"OS_CLOUD": "openstack"}, clouds(
        f"clouds:\n  openstack:\n    auth:\n      auth_url: {url}\n      username: \"demo\"\n"
        f"      project_id: {demo.project}\n      project_name: \"demo\"\n      user_domain_name: \"Default\"\n",
        secure__yaml="clouds: {openstack: {auth: {password: demo}}}\n"), []),
    ("vendor openrc by ids", {"OS_AUTH_URL": f"{url}/", "OS_USER_ID": demo.user, "OS_PASSWORD": "demo",
                              "OS_PROJECT_ID": demo.project, **V3}, {}, []),
    ("vendor openrc, OS_TENANT_ID and names of domains", {**LOGIN, "OS_PROJECT_NAME": "",
                                                          "OS_TENANT_ID": demo.project, **V3}, {}, []),
    ("application credential openrc", {"OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": url, **V3,
                                       "OS_REGION_NAME": "RegionOne", "OS_INTERFACE": "public",
                                       "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
                                       "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"]}, {}, []),
    ("application credential clouds.yaml", {"OS_CLOUD": "openstack"}, clouds(
        f"clouds:\n  openstack:\n    auth:\n      auth_url: {url}\n"
        f"      application_credential_id: \"{credential['id']}\"\n"
        f"      application_credential_secret: \"{credential['secret']}\"\n    region_name: \"RegionOne\"\n"
        "    interface: \"public\"\n    identity_api_version: 3\n    auth_type: \"v3applicationcredential\"\n"), []),
    ("application credential by name", {
        "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": url, "OS_USERNAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default", "OS_APPLICATION_CREDENTIAL_NAME": credential["name"],
        "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"]}, {}, []),
    ("application credential without a kind", {
        "OS_AUTH_URL": url, "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"]}, {}, []),
    ("application credential beside a project", {
        "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": url, "OS_PROJECT_NAME": "demo",
        "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"]}, {}, []),
    ("OAuth 2.0 client", {
        "OS_AUTH_TYPE": "v3oauth2clientcredential", "OS_AUTH_URL": url, "OS_OAUTH2_ENDPOINT": f"{url}/OS-OAUTH2/token",
        "OS_OAUTH2_CLIENT_ID": credential["id"], "OS_OAUTH2_CLIENT_SECRET": credential["secret"]}, {}, []),
    ("OpenID Connect by password", {**OIDC, "OS_AUTH_TYPE": "v3oidcpassword", "OS_USERNAME": "alice",
                                    "OS_PASSWORD": "wonderland", **V3}, {}, []),
    ("OpenID Connect by password, clouds.yaml", MINE, one(
        "    auth_type: v3oidcpassword\n",
        FEDERATED + ", client_id: glance-cli, client_secret: client-secret, username: alice, password: wonderland, "
        f"openid_scope: 'openid profile email', access_token_endpoint: '{root}/idp/token'"), []),
    ("OpenID Connect by client", {**OIDC, "OS_AUTH_TYPE": "v3oidcclientcredentials"}, {}, []),
    ("OpenID Connect by code", {**OIDC, "OS_AUTH_TYPE": "v3oidcauthcode", "OS_CODE": "good-code",
                                "OS_REDIRECT_URI": "http://127.0.0.1/"}, {}, []),
    ("OpenID Connect by device", {**OIDC, "OS_AUTH_TYPE": "v3oidcdeviceauthz"}, {}, []),
    ("OpenID Connect by device, with PKCE", {**OIDC, "OS_AUTH_TYPE": "v3oidcdeviceauthz",
                                             "OS_CODE_CHALLENGE_METHOD": "S256"}, {}, []),
    ("OpenID Connect by access token, clouds.yaml", MINE, one(
        "    auth_type: v3oidcaccesstoken\n", FEDERATED + f", access_token: {token('alice')}"), []),
    ("names of v2 in clouds.yaml", MINE, one("", AUTH.replace("project_name", "tenant_name")), []),
    ("v2 kind of login", {**LOGIN, "OS_AUTH_TYPE": "v2password", "OS_TENANT_NAME": "demo",
                          "OS_AUTH_URL": f"{root}/v2.0"}, {}, []),
    ("clouds-public.yaml", MINE, clouds(
        f"clouds: {{mine: {{profile: here, auth: {{{AUTH.split(', ', 1)[1]}}}}}}}\n",
        clouds_public__yaml=f"public-clouds: {{here: {{auth: {{auth_url: {url}}}, region_name: RegionOne}}}}\n"), []),
    ("profile at an address", MINE, clouds(
        f"clouds: {{mine: {{profile: '{root}', auth: {{{AUTH.split(', ', 1)[1]}}}}}}}\n"), []),
    ("profile that nobody knows", MINE, clouds(
        f"clouds: {{mine: {{profile: nosuch, auth: {{{AUTH.split(', ', 1)[1]}}}}}}}\n"), []),
    ("profile that nobody knows, with an address", MINE, one("    profile: nosuch\n"), []),
    ("regions with values", {**MINE, "OS_REGION_NAME": "RegionOne"}, clouds(
        f"clouds:\n  mine:\n    auth: {{{AUTH}}}\n    regions:\n    - nowhere\n    - name: RegionOne\n"
        "      values: {interface: internal}\n"), []),
    ("regions with commas", MINE, clouds(f"clouds: {{mine: {{auth: {{{AUTH}}}, region_name: 'RegionOne,Two'}}}}\n"), []),
    ("a region that there is not", {**MINE, "OS_REGION_NAME": "Nowhere"}, one(), []),
    ("scope of the system, variables", {"OS_AUTH_URL": url, "OS_USERNAME": "admin", "OS_PASSWORD": "secret",
                                        "OS_USER_DOMAIN_NAME": "Default", "OS_SYSTEM_SCOPE": "all", **V3}, {}, []),
    ("trust", MINE, one("", f"auth_url: {url}, username: other, password: other, user_domain_name: Default, "
                            f"trust_id: {trust}"), []),
    ("verify: false without TLS", MINE, one("    verify: false\n"), []),
    ("insecure: true without TLS", MINE, one("    insecure: true\n"), []),
    ("cacert that is not there, without TLS", MINE, one("    cacert: /nowhere/ca.pem\n"), []),
    ("one cloud and nothing else", {}, one(), []),
    ("one cloud and a region", {"OS_REGION_NAME": "RegionOne"}, one(), []),
    ("several clouds and nothing else", {}, clouds(f"clouds: {{a: {{auth: {{{AUTH}}}}}, b: {{auth: {{{AUTH}}}}}}}\n"), []),
    ("part of a login alone", {"OS_USERNAME": "demo", "OS_PASSWORD": "demo"}, {}, []),
    ("part of a login beside one cloud", {"OS_PROJECT_NAME": "demo"}, one(), []),
    ("OS_CLIENT_CONFIG_FILE", {"OS_CLIENT_CONFIG_FILE": "elsewhere.yaml"}, clouds(
        f"clouds: {{x: {{auth: {{{AUTH}}}}}}}\n", name="elsewhere.yaml"), []),
    ("clouds.json", MINE, clouds(
        '{"clouds": {"mine": {"auth": {"auth_url": "%s", "username": "demo", "password": "demo", "project_name": "demo",'
        ' "user_domain_id": "default", "project_domain_id": "default"}}}}' % url, name="clouds.json"), []),
    ("token and Keystone", {"OS_AUTH_TYPE": "v3token", "OS_AUTH_URL": url, "OS_TOKEN": demo.token,
                            "OS_PROJECT_ID": demo.project}, {}, []),
    ("token without a kind", {"OS_AUTH_URL": url, "OS_TOKEN": demo.token, "OS_PROJECT_ID": demo.project}, {}, []),
    ("admin_token", {"OS_AUTH_TYPE": "admin_token", "OS_TOKEN": demo.token, "OS_ENDPOINT": glance}, {}, []),
    ("token_endpoint of old", {"OS_AUTH_TYPE": "token_endpoint", "OS_TOKEN": demo.token, "OS_URL": glance,
                               "OS_ENDPOINT": glance}, {}, []),
    ("OS_CLOUD=envvars", {**LOGIN, **V3, "OS_CLOUD": "envvars"}, one(), []),
    ("default domain", {"OS_AUTH_URL": url, "OS_USERNAME": "demo", "OS_PASSWORD": "demo", "OS_PROJECT_NAME": "demo",
                        "OS_DEFAULT_DOMAIN": "default", **V3}, {}, []),
    ("no domain at all", {"OS_AUTH_URL": url, "OS_USERNAME": "demo", "OS_PASSWORD": "demo",
                          "OS_PROJECT_NAME": "demo"}, {}, []),
    ("dashes in keys", MINE, clouds(
        f"clouds:\n  mine:\n    auth-type: password\n    region-name: RegionOne\n    auth:\n      auth-url: {url}\n"
        "      username: demo\n      password: demo\n      project-name: demo\n      user-domain-name: Default\n"
        "      project-domain-name: Default\n"), []),
    ("image_endpoint_override", MINE, one(f"    image_endpoint_override: {glance}/v2\n"), []),
    ("interface and endpoint_type", MINE, one("    interface: public\n    endpoint_type: internalURL\n"), []),
    ("OS_SERVICE_TYPE of another service", {**LOGIN, **V3, "OS_SERVICE_TYPE": "compute"}, {}, []),
    ("anchors and merges", MINE, clouds(
        f"base: &base {{auth: {{{AUTH}}}}}\nclouds:\n  mine:\n    <<: *base\n    region_name: RegionOne\n"), []),
    ("a password of digits, in quotes", MINE, one("", AUTH.replace("username: demo, password: demo",
                                                                   "username: digits, password: '007'")), []),
    ("a password of digits, without quotes", MINE, one("", AUTH.replace("username: demo, password: demo",
                                                                        "username: digits, password: 007")), []),
    ("wrong password", MINE, one("", AUTH.replace("password: demo", "password: wrong")), []),
    ("no such cloud", {"OS_CLOUD": "nosuch"}, one(), []),
    ("broken clouds.yaml", MINE, clouds("clouds:\n  mine: [\n  b: {"), []),
    ("a second cloud by Keystone to Keystone", {**LOGIN, **V3, "OS_SERVICE_PROVIDER": "sp"}, {}, []),
]


def run(program, shape, directory):
    _, variables, files, options = shape
    place = pathlib.Path(tempfile.mkdtemp(dir=directory))
    for name, text in files.items():
        (place / name).write_text(text)
    environment = {"HOME": str(place), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8",
                   **variables}
    done = subprocess.run([program, *options, "image", "list", "-f", "value", "-c", "Name"], cwd=place, timeout=120,
                          env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = (done.stderr.strip().splitlines() or [""])[-1 if program != ours else 0]
    return done.returncode, done.stdout, said.replace("|", "/")[:110]


failed = False
print("| shape | the real client | ours | what ours says |\n|---|---|---|---|")
with tempfile.TemporaryDirectory() as directory:
    for shape in SHAPES:
        if len(sys.argv) > 3 and sys.argv[3] not in shape[0]:
            continue
        theirs, mine = run(known["VENV"] + "/bin/openstack", shape, directory), run(ours, shape, directory)
        wrong = theirs[0] == 0 and (mine[0] != 0 or mine[1] != theirs[1])
        failed |= wrong
        left = "0" if theirs[0] == 0 else f"{theirs[0]}: {theirs[2]}"
        print(f"| {shape[0]} | {left} | {mine[0]}{' **differs**' if wrong else ''} | {mine[2]} |", flush=True)
sys.exit(failed)
