"""A few calls of Keystone's API, with nothing but Python, for the programs beside this one."""
import json
import urllib.error
import urllib.parse
import urllib.request


class Keystone:
    """Keystone at an address, as a user in a project."""

    def __init__(self, url, user, password, project):
        self.url, self.token = url, None
        headers, body = self.call("POST", "/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {
                "user": {"name": user, "domain": {"id": "default"}, "password": password}}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}}}})
        self.token = headers["X-Subject-Token"]
        self.project, self.user = body["token"]["project"]["id"], body["token"]["user"]["id"]

    def call(self, method, path, body=None):
        """The headers and the body of an answer."""
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("X-Auth-Token", self.token)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers, json.loads(answer.read() or b"null")

    def find_or_create(self, kind, name, **fields):
        """The id of a project, user, role or service, made if it is not there."""
        for row in self.call("GET", f"/{kind}s?name={urllib.parse.quote(name)}")[1][f"{kind}s"]:
            return row["id"]
        return self.call("POST", f"/{kind}s", {kind: {"name": name, **fields}})[1][kind]["id"]

    def put_once(self, path, body):
        """Makes what is not there."""
        try:
            self.call("PUT", path, body)
        except urllib.error.HTTPError as e:
            if e.code != 409:
                raise

    def grant(self, project, user, role):
        """Gives a user a role in a project, all by id but the role."""
        self.call("PUT", f"/projects/{project}/users/{user}/roles/{self.find_or_create('role', role)}")
