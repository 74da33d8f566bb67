"""Make a user of a cloud that has one role in one project (or several, with commas between them), and print the
project's id and a token of that user, on a line each. All of it is made when it is not there; a token that was
printed before is printed again.

  caller.py DIR PROJECT ROLE [USER]       DIR is that of a cloud started by `up`

Users of one name and different projects or roles are different users.
"""
import pathlib
import re
import sys

sys.dont_write_bytecode = True
from identity import Keystone  # noqa: E402

directory, project, role, user = (sys.argv[1:] + ["user"])[:4]
name = f"{project}.{role}.{user}"
known = pathlib.Path(directory, "callers", name)
if not known.exists():
    url = re.search(r"^KEYSTONE_URL=(\S+)", pathlib.Path(directory, "env").read_text(), re.M)[1]
    admin = Keystone(url, "admin", "secret", "admin")
    project_id = admin.find_or_create("project", project, domain_id="default")
    user_id = admin.find_or_create("user", name, domain_id="default", password=name)
    for one in role.split(","):
        admin.grant(project_id, user_id, one)
    known.parent.mkdir(exist_ok=True)
    known.write_text(f"{project_id}\n{Keystone(url, name, name, project).token}\n")
print(known.read_text(), end="")
