"""Prints the id and the secret of a new application credential of the user demo.

  credential.py DIR
"""
import pathlib
import sys
import uuid

sys.dont_write_bytecode = True
from identity import Keystone  # noqa: E402

known = dict(line.split("=", 1) for line in pathlib.Path(sys.argv[1], "env").read_text().splitlines())
demo = Keystone(known["KEYSTONE_URL"], "demo", "demo", "demo")
made = demo.call("POST", f"/users/{demo.user}/application_credentials",
                 {"application_credential": {"name": uuid.uuid4().hex}})[1]["application_credential"]
print(made["id"], made["secret"])
