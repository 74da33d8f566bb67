"""What `benches/run remote` measures: the same work on a real Keystone and Glance by our programs, by
curl, and by the Python clients, in turns."""
import json
import os
import shutil
import subprocess
import urllib.request
import uuid

from measure import Row, compare, ignore_children, once

HERE = os.path.dirname(os.path.abspath(__file__))
CLOUD = os.path.join(HERE, "..", "tests", "realcloud")


class RemoteBench:
    def __init__(self, bench, runs):
        self.bench, self.runs = bench, runs
        self.dir = bench.path("cloud")
        subprocess.run([os.path.join(CLOUD, "up"), self.dir, str(os.getpid())], check=True,
                       stdout=subprocess.DEVNULL)
        ignore_children()
        self.facts = dict(line.split("=", 1) for line in open(os.path.join(self.dir, "env")).read().split())
        self.url = self.facts["GLANCE_URL"]
        self.env = dict(bench.env, OS_CLIENT_CONFIG_FILE=os.path.join(self.dir, "clouds.yaml"), OS_CLOUD="admin")
        # python-glanceclient knows no clouds.yaml.
        rc = subprocess.run(["bash", "-c", f". {self.dir}/admin.rc; env -0"], check=True, capture_output=True, env={})
        pairs = (pair.split("=", 1) for pair in rc.stdout.decode().split("\0") if pair.startswith("OS_"))
        self.env_glance = dict(bench.env, **dict(pairs))
        self.token = self.login()

    def close(self):
        subprocess.run([os.path.join(CLOUD, "down"), self.dir], check=True, stdout=subprocess.DEVNULL)

    def login(self):
        get = self.env_glance.get
        user = {"name": get("OS_USERNAME"), "domain": {"id": "default"}, "password": get("OS_PASSWORD")}
        project = {"name": get("OS_PROJECT_NAME"), "domain": {"id": "default"}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
        request = urllib.request.Request(get("OS_AUTH_URL").rstrip("/") + "/auth/tokens", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return answer.headers["X-Subject-Token"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body else None,
                                         {"X-Auth-Token": self.token, "Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def row(self, name, argv, env=None, **more):
        return Row(name, lambda small: once(argv, env=env or self.env, small=small), **more)

    def ours(self, *words):
        return self.bench.ours("glance", *words)

    def curl(self, *words):
        return ["curl", "-sf", "-H", f"X-Auth-Token: {self.token}", *words]

    def peers(self, glance, openstack, **more):
        rows = []
        if self.bench.peer("glance"):
            rows.append(self.row("glance (Python)", [self.bench.peer("glance"), *glance], self.env_glance, **more))
            rows.append(self.row("openstack (Python)", [self.bench.peer("openstack"), *openstack], **more))
        return rows

    def start(self):
        image = self.call("POST", "/v2/images", {"name": "one"})["id"]
        rows = [
            self.row("ours, image list", self.ours("image", "list")),
            self.row("ours, image-show ID", self.ours("image-show", image)),
            self.row("ours, image show NAME", self.ours("image", "show", "one")),
            self.row("ours, logging in", self.ours("--os-no-cache", "image", "list")),
            self.row("curl, list", self.curl("-o", "/dev/null", self.url + "/v2/images")),
            *self.peers(["image-list"], ["image", "list"]),
        ]
        compare("image list of a few images", rows, self.runs)

    def lists(self, count, fill):
        database = os.path.join(self.dir, "glance", "glance.db")
        fill(database, count)
        rows = [self.row("ours, image list", self.ours("image", "list")), self.row("ours, image-list", self.ours("image-list")),
                *self.peers(["image-list"], ["image", "list"])]
        compare(f"list of {count:,} images", rows, min(self.runs, 3))

    def upload(self, source):
        made = []

        def tidy():
            for image in self.call("GET", "/v2/images?name=big")["images"]:
                self.call("DELETE", f"/v2/images/{image['id']}")

        def queue():
            body = {"name": "big", "disk_format": "raw", "container_format": "bare"}
            made.append(self.call("POST", "/v2/images", body)["id"])

        def by_curl(small):
            argv = self.curl("-T", source, "-H", "Content-Type: application/octet-stream", f"{self.url}/v2/images/{made[-1]}/file")
            return once(argv, env=self.env, small=small)
        create = ["image-create", "--name", "big", "--disk-format", "raw", "--container-format", "bare", "--file", source]
        second = ["image", "create", "big", "--file", source]
        rows = [
            self.row("ours, verified", self.ours(*create), after=tidy),
            self.row("ours, not verified", self.ours("--skip-verification", *create), after=tidy),
            Row("curl, PUT alone", by_curl, before=queue, after=tidy),
            *self.peers(create, second, after=tidy),
        ]
        compare("upload of 1 GiB", rows, self.runs, against="curl, PUT alone")

    def download(self, source):
        image = str(uuid.uuid4())
        once(self.ours("image-create", "--id", image, "--name", "saved", "--disk-format", "raw", "--container-format", "bare",
                       "--file", source), env=self.env)
        target = self.bench.path("saved")

        def remove():
            if os.path.exists(target):
                os.remove(target)
        rows = [
            self.row("ours, to a file", self.ours("image-download", "--file", target, image), after=remove),
            Row("ours, > file", lambda small: once(self.ours("image-download", image), env=self.env, stdout=target, small=small),
                after=remove),
            self.row("curl, not verified", self.curl("-o", target, f"{self.url}/v2/images/{image}/file"), after=remove),
            self.row("sha512sum", ["sha512sum", source]),
            *self.peers(["image-download", "--file", target, image], ["image", "save", "--file", target, image], after=remove),
        ]
        compare("download of 1 GiB", rows, self.runs, against="sha512sum")
        self.call("DELETE", f"/v2/images/{image}")


def remote(bench, runs, fill, source):
    """Everything, on a cloud of its own that is stopped in the end."""
    cloud = RemoteBench(bench, runs)
    try:
        cloud.start()
        cloud.upload(source)
        cloud.download(source)
        cloud.lists(10_000, fill)
    finally:
        cloud.close()
        shutil.rmtree(cloud.dir, ignore_errors=True)
