"""Keystone behind a small identity provider (OpenID Connect), as a web server with mod_auth_openidc would have it.

The profile of the cloud is published, as openstacksdk looks for it. Below /idp there are the discovery document, tokens and logins of devices. A token that Keystone is shown is checked
here, and the claims go to Keystone in the variables that its mapping reads.

  user alice, password wonderland, one-time field otp with 123456 where it is sent
  client glance-cli, secret client-secret; code good-code; a device is allowed in at the second question
"""
import base64
import functools
import hashlib
import json
import re
import threading
import urllib.parse

KEY = b"shared by the identity provider and Keystone"
CLIENT = ("glance-cli", "client-secret")
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
devices, lock = {}, threading.Lock()


@functools.cache
def keystone():
    """Keystone itself, where this is a server."""
    from keystone.wsgi.api import application

    return application


def token(subject):
    return f"{subject}.{hashlib.sha256(KEY + subject.encode()).hexdigest()}"


def subject_of(shown):
    subject = shown.rpartition(".")[0]
    return subject if subject and shown == token(subject) else None


def answer(start, status, body, *headers):
    body = json.dumps(body).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]


def client_of(environ, form):
    """The client, if it is known: with its secret, or by its name alone as a public one."""
    kind, _, shown = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind == "Basic":
        return base64.b64decode(shown).decode() == ":".join(CLIENT)
    return form.get("client_id") == CLIENT[0]


def grant(form):
    """The subject that a token is for, or an error."""
    kind = form.get("grant_type")
    if kind == "password":
        right = (form.get("username"), form.get("password")) == ("alice", "wonderland")
        return ("alice", None) if right and form.get("otp", "123456") == "123456" else (None, "invalid_grant")
    if kind == "client_credentials":
        return CLIENT[0], None
    if kind == "authorization_code":
        return ("alice", None) if form.get("code") == "good-code" else (None, "invalid_grant")
    if kind == DEVICE:
        with lock:
            device = devices.get(form.get("device_code"))
            if device is None:
                return None, "invalid_grant"
            device["asked"] += 1
            if device["asked"] < 2:
                return None, "authorization_pending"
        verifier, challenge = form.get("code_verifier", ""), device["challenge"]
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return ("alice", None) if challenge in (None, verifier, digest) else (None, "invalid_grant")
    return None, "unsupported_grant_type"


def provider(environ, start):
    here = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}/idp"
    path = environ["PATH_INFO"]
    if path == "/idp/.well-known/openid-configuration":
        return answer(start, "200 OK", {
            "issuer": here, "token_endpoint": f"{here}/token", "device_authorization_endpoint": f"{here}/device",
            "grant_types_supported": ["password", "client_credentials", "authorization_code", DEVICE]})
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    form = dict(urllib.parse.parse_qsl(body))
    if not client_of(environ, form):
        return answer(start, "401 Unauthorized", {"error": "invalid_client", "error_description": "unknown client"})
    if path == "/idp/device":
        with lock:
            code = f"device-{len(devices)}"
            devices[code] = {"asked": 0, "challenge": form.get("code_challenge")}
        return answer(start, "200 OK", {
            "device_code": code, "user_code": "ABCD-EFGH", "verification_uri": f"{here}/consent",
            "expires_in": 60, "interval": 0})
    if path == "/idp/token":
        subject, error = grant(form)
        if error:
            return answer(start, "400 Bad Request", {"error": error, "error_description": f"refused: {error}"})
        return answer(start, "200 OK", {
            "access_token": token(subject), "id_token": token(subject), "token_type": "Bearer", "expires_in": 300})
    return answer(start, "404 Not Found", {"error": "not_found"})


def application(environ, start):
    path = environ.get("PATH_INFO", "")
    if path == "/.well-known/openstack/api":
        here = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        return answer(start, "200 OK", {"name": "here", "profile": {
            "auth": {"auth_url": f"{here}/v3"}, "regions": ["RegionOne"], "identity_api_version": "3"}})
    if path.startswith("/idp/"):
        return provider(environ, start)
    if re.fullmatch(r"/v3/OS-FEDERATION/identity_providers/[^/]+/protocols/[^/]+/auth", path):
        kind, _, shown = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        subject = subject_of(shown) if kind == "Bearer" else None
        if subject is None:
            return answer(start, "401 Unauthorized", {"error": {"code": 401, "message": "The token is invalid."}},
                          ("WWW-Authenticate", 'Bearer error="invalid_token"'))
        environ["OIDC-iss"], environ["OIDC-preferred_username"] = "idp", subject
    return keystone()(environ, start)
