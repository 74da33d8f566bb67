"""Write what tempest and openstacksdk's tests need for one cloud: tempest.conf, clouds.yaml and images.

  prepare.py glance FILES CONF        further lines of Glance's configuration, to CONF
  prepare.py cloud CLOUD FILES URL    CLOUD/tests, for the cloud that `realcloud/up CLOUD` started

FILES is a directory that the web server at URL serves; `glance` fills it.
"""
import json
import pathlib
import subprocess
import sys

GLANCE = """\
[DEFAULT]
enabled_backends = fast:file, slow:file, web:http
enabled_import_methods = [glance-direct,web-download,copy-image,glance-download]
[image_format]
require_image_format_match = false
[fast]
weight = 200
[slow]
weight = 100
[web]
[oslo_policy]
enforce_scope = true
"""

TEMPEST = """\
[DEFAULT]
log_file = {tests}/tempest.log
[oslo_concurrency]
lock_path = {tests}/locks
[auth]
use_dynamic_credentials = true
admin_username = admin
admin_password = secret
admin_project_name = admin
admin_domain_name = Default
[identity]
uri_v3 = {keystone}
auth_version = v3
region = RegionOne
[identity-feature-enabled]
api_v2 = false
[service_available]
glance = true
cinder = false
neutron = false
nova = false
swift = false
[enforce_scope]
glance = true
[image]
region = RegionOne
image_caching_enabled = true
build_timeout = 60
http_image = {web}/image.raw
http_qcow2_image = {web}/image.qcow2
images_manifest_file = {files}/manifest.yaml
disk_formats = qcow2,raw,ami,ari,aki,vhd,vmdk,vdi,iso,vhdx,gpt
[image-feature-enabled]
manage_locations = true
http_store_enabled = true
store_weight_enabled = true
image_format_enforcement = false
"""

# The names that openstacksdk's functional tests use, each with the user of the cloud that it stands for.
CLOUDS = {"devstack": "demo", "devstack-alt": "other", "devstack-admin": "admin", "devstack-system-admin": "admin"}


def convert(files, name, target, *options):
    subprocess.run(["qemu-img", "convert", "-O", target, *options, files / "image.raw", files / name], check=True)


def write_images(files):
    """Writes one image of each disk format, three that are unsafe, and the manifest that lists them."""
    files.mkdir(parents=True, exist_ok=True)
    (files / "image.raw").write_bytes(bytes(range(256)) * 4096)
    images = [("image.raw", "raw", True)]
    for name, target, disk_format, *options in (
        ("image.qcow2", "qcow2", "qcow2"),
        ("image.vmdk", "vmdk", "vmdk", "-o", "subformat=streamOptimized"),
        ("image.sparse.vmdk", "vmdk", "vmdk", "-o", "subformat=monolithicSparse"),
        ("image.vhd", "vpc", "vhd"),
        ("image.vhdx", "vhdx", "vhdx"),
        ("image.vdi", "vdi", "vdi"),
    ):
        convert(files, name, target, *options)
        images.append((name, disk_format, True))
    sector = bytearray(64 * 1024)
    sector[32768:32775] = b"\x01CD001\x01"
    (files / "image.iso").write_bytes(sector)
    images.append(("image.iso", "iso", True))
    # A protective MBR: one partition of the type GPT over the whole disk.
    disk = bytearray(1024 * 1024)
    disk[446:462] = bytes((0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0xFF, 0x07, 0, 0))
    disk[510:512] = b"\x55\xaa"
    (files / "image.gpt").write_bytes(disk)
    images.append(("image.gpt", "gpt", True))
    base = files / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", files / "backing.qcow2"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={files}/data.raw,data_file_raw=on",
                    files / "data.qcow2", "1M"], check=True)
    convert(files, "flat.vmdk", "vmdk", "-o", "subformat=monolithicFlat")
    images += [("backing.qcow2", "qcow2", False), ("data.qcow2", "qcow2", False), ("flat.vmdk", "vmdk", False)]
    # JSON is YAML.
    (files / "manifest.yaml").write_text(json.dumps({"images": [
        {"name": name.replace(".", "-"), "filename": name, "format": disk_format, "usable": usable}
        for name, disk_format, usable in images]}, indent=1))


def write_cloud(cloud, files, web):
    tests = cloud / "tests"
    (tests / "locks").mkdir(parents=True, exist_ok=True)
    env = dict(line.split("=", 1) for line in (cloud / "env").read_text().split())
    (tests / "tempest.conf").write_text(
        TEMPEST.format(tests=tests, keystone=env["KEYSTONE_URL"], web=web, files=files))
    # openstacksdk's tests upload this file of the current directory.
    (tests / "CONTRIBUTING.rst").write_text("An image.\n" * 100)
    (tests / "clouds.yaml").write_text(json.dumps({"clouds": {name: {
        "region_name": "RegionOne",
        "auth": {"auth_url": env["KEYSTONE_URL"], "username": user, "password": "secret" if user == "admin" else user,
                 "project_name": user, "user_domain_name": "Default", "project_domain_name": "Default"},
    } for name, user in CLOUDS.items()}}, indent=1))


match sys.argv[1:]:
    case ["glance", files, conf]:
        write_images(pathlib.Path(files))
        pathlib.Path(conf).write_text(GLANCE)
    case ["cloud", cloud, files, web]:
        write_cloud(pathlib.Path(cloud), files, web)
    case _:
        sys.exit(__doc__)
