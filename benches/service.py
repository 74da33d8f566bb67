"""What `benches/run service` measures: glance-api beside the real Glance under uWSGI with two processes, with the same
Keystone, the same database and the same files, in turns."""
import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
import urllib.error
import urllib.request

import catalogue
from measure import ignore_children, once, seconds
from remote import RemoteBench

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024
# Images of the database, and of the one whose growth is measured.
IMAGES = int(os.environ.get("GLANCE_BENCH_IMAGES", "20000"))
MANY = int(os.environ.get("GLANCE_BENCH_MANY", "1000000"))
DOWNLOADS, UPLOADS = 1000, 200


def children(pid):
    """A process and those that it started."""
    found = [pid]
    for one in found:
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/children") as file:
                found += [int(child) for child in file.read().split()]
    return found


def status(pid, field):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(rf"^{field}:\s+(\d+)", file.read(), re.M)[1])


class Service:
    """One that runs: its name, its address, and the process that all of it is in."""

    def __init__(self, name, url, pid):
        self.name, self.url, self.pid = name, url, pid

    def cpu(self):
        total = 0
        for pid in children(self.pid):
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory(self, field="VmRSS"):
        return sum(status(pid, field) for pid in children(self.pid)) / 1024


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(argv, env, url):
    """Starts a service: the process, and the seconds until it responds."""
    begin = time.perf_counter()
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host, number = re.match(r"http://(.*):(\d+)", url).groups()
    while True:
        try:
            with socket.create_connection((host, int(number))) as connection:
                connection.sendall(b"GET /healthcheck HTTP/1.0\r\n\r\n")
                if connection.recv(100):
                    return process, time.perf_counter() - begin
        except ConnectionError:
            pass
        if process.poll() is not None:
            raise SystemExit(f"{argv[0]} ended at once")
        time.sleep(0.001)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait()


def table(title, columns, rows):
    print(f"\n{title}")
    width = max(len(row[0]) for row in rows) + 2
    print(f"  {'':{width}}" + "".join(f"{column:>16}" for column in columns))
    for name, *values in rows:
        print(f"  {name:{width}}" + "".join(f"{value:>16}" for value in values), flush=True)


class Slow:
    """Clients that take and send a few bytes a second, on one thread."""

    def __init__(self, service, token, image, queued):
        self.selector, self.connections, self.statuses = selectors.DefaultSelector(), [], []
        host, number = re.match(r"http://(.*):(\d+)", service.url).groups()
        head = f"Host: {host}\r\nX-Auth-Token: {token}\r\n"
        gets = [f"GET /v2/images/{image}/file HTTP/1.1\r\n{head}\r\n"] * DOWNLOADS
        puts = [f"PUT /v2/images/{one}/file HTTP/1.1\r\n{head}Content-Type: application/octet-stream\r\n"
                f"Content-Length: {64 * MIB}\r\n\r\n" for one in queued]
        for request in gets + puts:
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((host, int(number)))
            connection.sendall(request.encode())
            self.connections.append((connection, request.startswith("PUT")))

    def turn(self):
        """Each takes or sends a KiB; the number of those that are cut off."""
        lost = 0
        for connection, sends in self.connections:
            try:
                if sends:
                    connection.sendall(b"x" * 1024)
                elif not connection.recv(1024):
                    lost += 1
            except OSError:
                lost += 1
        return lost

    def close(self):
        for connection, _ in self.connections:
            connection.close()


class ServiceBench(RemoteBench):
    """The real cloud, and ours on the same deployment."""

    def __init__(self, bench, runs):
        super().__init__(bench, runs)
        catalogue.fill(os.path.join(self.dir, "glance", "glance.db"), IMAGES)
        self.real = Service("real Glance", self.url, int(open(os.path.join(self.dir, "glance.pid")).read()))
        self.argv, self.address = self.configured(self.dir)
        self.process, _ = start(self.argv, bench.env, self.address)
        ignore_children()
        self.ours = Service("ours", self.address, self.process.pid)
        self.services = [self.ours, self.real]

    def configured(self, directory):
        """The command that serves the deployment of the real service at a port of its own."""
        etc = os.path.join(directory, "glance", "etc")
        number = port()
        with open(os.path.join(etc, "glance-api.conf")) as file:
            lines = [line for line in file if not line.startswith(("bind_port", "log_file", "worker_self_reference"))]
        path = os.path.join(etc, "ours.conf")
        with open(path, "w") as file:
            cache = os.path.join(directory, "glance", "cache-of-ours")
            file.write("".join(lines) + f"[DEFAULT]\nbind_port = {number}\nimage_cache_dir = {cache}\n")
        argv = self.bench.ours("glance-api", "--config-file", path, "--config-file", os.path.join(etc, "glance-image-import.conf"))
        return argv, f"http://127.0.0.1:{number}"

    def close(self):
        stop(self.process)
        super().close()

    def get(self, service, path):
        request = urllib.request.Request(service.url + path, headers={"X-Auth-Token": self.token})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def starts(self):
        figures = []
        for _ in range(20):
            argv, url = self.configured(self.dir)
            process, taken = start(argv, self.bench.env, url)
            figures.append((taken, status(process.pid, "VmRSS") / 1024))
            stop(process)
        taken, memory = (statistics.median(column) for column in zip(*figures))
        table("start of glance-api (median of 20)", ["first response", "memory"],
              [("ours", seconds(taken), f"{memory:.1f} MiB")])

    def pages(self):
        rows = []
        for service, count in ((self.ours, 200), (self.real, 10)):
            self.get(service, "/v2/images?limit=1000")
            before, begin = service.cpu(), time.perf_counter()
            for _ in range(count):
                listed = self.get(service, "/v2/images?limit=1000")
            rows.append((service.name, seconds((service.cpu() - before) / count),
                         seconds((time.perf_counter() - begin) / count), len(json.loads(listed)["images"])))
        table(f"page of 1,000 of {IMAGES:,} images", ["CPU", "wall", "images"], rows)

    def wrk(self, service, path, connections, duration):
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{duration}s", "--latency", "-H", f"X-Auth-Token: {self.token}",
                service.url + path]
        text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", text)
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        percentile = re.search(r"99%\s+([\d.]+\w+)", text)[1]
        return rate, percentile, failed[0] if failed else ""

    def shows(self):
        image = json.loads(self.get(self.ours, "/v2/images?limit=1"))["images"][0]["id"]
        rows, rates = [], []
        for service in self.services:
            before = service.cpu()
            rate, percentile, failed = self.wrk(service, f"/v2/images/{image}", 4, 5)
            rates.append(rate)
            rows.append((service.name, f"{rate:,.0f}/s", percentile, seconds((service.cpu() - before) / (rate * 5)), failed))
        table(f"show, 4 connections: {rates[0] / rates[1]:.0f} x", ["requests", "p99", "CPU each", ""], rows)

    def queue(self):
        body = {"name": "big", "disk_format": "raw", "container_format": "bare"}
        return self.call("POST", "/v2/images", body)["id"]

    def put(self, service, image, source):
        return self.curl("-T", source, "-H", "Content-Type: application/octet-stream", f"{service.url}/v2/images/{image}/file")

    def transfers(self, source):
        target = self.bench.path("saved")
        rows, walls = [], []

        def row(name, service, argv):
            figures = []
            for _ in range(min(self.runs, 3)):
                before = service.cpu() if service else 0
                wall = once(argv() if callable(argv) else argv, env=self.bench.env)["wall"]
                figures.append((wall, service.cpu() - before if service else 0))
                if os.path.exists(target):
                    os.remove(target)
            wall, cpu = (statistics.median(column) for column in zip(*figures))
            walls.append(wall)
            rows.append((name, seconds(wall), seconds(cpu) if service else "-"))

        made = []

        def upload(service):
            # The memory of its data is used again: a virtual machine takes long to get new memory.
            if made:
                self.call("DELETE", f"/v2/images/{made.pop()}")
            made.append(self.queue())
            return self.put(service, made[-1], source)
        row("sha512sum", None, ["sha512sum", source])
        row("dd, synced", None, ["dd", "status=none", f"if={source}", f"of={target}", "bs=256K", "conv=fsync"])
        for service in self.services:
            row(f"upload, {service.name}", service, lambda: upload(service))
        files = subprocess.Popen(["python3", "-m", "http.server", "--bind", "127.0.0.1", "-d", os.path.dirname(source), str(static := port())],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ignore_children()
        time.sleep(1)
        address = f"http://127.0.0.1:{static}/{os.path.basename(source)}"
        row("static file", Service("files", "", files.pid), ["curl", "-sf", "-o", "/dev/null", address])
        for service in self.services:
            get = self.curl("-o", "/dev/null", f"{service.url}/v2/images/{made[0]}/file")
            # The first fills the cache, and one of the next ones verifies what is there.
            for _ in range(3):
                once(get, env=self.bench.env)
            row(f"download, {service.name}", service, get)
        stop(files)
        table(f"1 GiB (upload {walls[2] / walls[0]:.2f} x sha512sum, download {walls[5] / walls[4]:.2f} x a static file)",
              ["wall", "CPU of service"], rows)
        return made[0]

    def slow(self, image):
        idle = self.ours.memory()
        queued = [self.queue() for _ in range(UPLOADS)]
        slow = Slow(self.ours, self.token, image, queued)
        lost = [slow.turn() for _ in range(20)][-1]
        begin = time.perf_counter()
        self.get(self.ours, f"/v2/images/{image}")
        taken = time.perf_counter() - begin
        table(f"{DOWNLOADS:,} slow downloads and {UPLOADS} slow uploads", ["memory", "before", "threads", "cut off", "a show"],
              [("ours", f"{self.ours.memory():.1f} MiB", f"{idle:.1f} MiB", status(self.ours.pid, "Threads"), lost, seconds(taken))])
        slow.close()

    def busy(self, source, image):
        """Shows while four uploads of 1 GiB run."""
        rows = []
        for service in self.services:
            ends = threading.Event()
            refused = []

            def uploads():
                while not ends.is_set():
                    one = self.queue()
                    # On SQLite, the real service refuses some.
                    refused.append(subprocess.run(self.put(service, one, source), env=self.bench.env).returncode != 0)
                    with contextlib.suppress(urllib.error.HTTPError):
                        self.call("DELETE", f"/v2/images/{one}")
            threads = [threading.Thread(target=uploads) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(2)
            rate, percentile, failed = self.wrk(service, f"/v2/images/{image}", 1, 10)
            ends.set()
            for thread in threads:
                thread.join()
            rows.append((service.name, percentile, f"{rate:,.0f}/s", f"{sum(refused)} of {len(refused)}", failed))
        table("show while four uploads of 1 GiB run, 1 connection", ["p99", "requests", "uploads refused", ""], rows)


def grown(bench):
    """Pages of a list of a million images, and one image of them, without a login."""
    path = bench.data_dir()
    catalogue.fill(os.path.join(path, "glance.db"), MANY)
    with open(os.path.join(path, "glance-api.conf"), "w") as file:
        file.write(f"[DEFAULT]\nbind_port = {(number := port())}\n")
    url = f"http://127.0.0.1:{number}"
    process, _ = start(bench.ours("glance-api", "--data-dir", path), bench.env, url)

    def page(query):
        figures = []
        for _ in range(3):
            begin = time.perf_counter()
            with urllib.request.urlopen(f"{url}/v2/images?limit=1000{query}") as answer:
                images = json.loads(answer.read())["images"]
            figures.append(time.perf_counter() - begin)
        return statistics.median(figures), images
    try:
        first, images = page("")
        slowest, pages = 0, 0
        marker = images[-1]["id"]
        while images and pages < 100:
            taken, images = page(f"&marker={marker}")
            marker, pages, slowest = images[-1]["id"] if images else "", pages + 1, max(slowest, taken)
        # Anywhere in the list: IDs are random.
        anywhere = max(page(f"&marker={image['id']}")[0] for image in images[::100])
        sorted_first, images = page("&sort=name:asc")
        sorted_later, _ = page(f"&sort=name:asc&marker={images[-1]['id']}")
        table(f"pages of 1,000 of {MANY:,} images", ["wall"], [
            ("first", seconds(first)), (f"slowest of the next {pages}", seconds(slowest)), ("at any marker", seconds(anywhere)),
            ("by name, first", seconds(sorted_first)), ("by name, second", seconds(sorted_later))])
    finally:
        stop(process)
        shutil.rmtree(path)


def service(bench, runs, source):
    """Everything, on a cloud of its own that is stopped in the end."""
    for program in ("curl", "wrk"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is needed: install the package of that name")
    cloud = ServiceBench(bench, runs)
    try:
        cloud.starts()
        cloud.pages()
        cloud.shows()
        image = cloud.transfers(source)
        cloud.slow(image)
        cloud.busy(source, image)
    finally:
        cloud.close()
        shutil.rmtree(cloud.dir, ignore_errors=True)
    grown(bench)
