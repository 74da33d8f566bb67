"""Run commands of the real `glance` one after another, each as some user; stop at the first that fails.

  play.py DIR STEPS       STEPS is JSON: [[USER, [WORD, …], FILE], …]; DIR is that of a cloud started by `up`

A FILE that is not null is piped in, so that the command does not know its size.

One process and one login a user for all of them: what takes time is starting Python and asking Keystone.
"""
import json
import os
import pty
import subprocess
import sys

sys.dont_write_bytecode = True
from glanceclient import shell  # noqa: E402
from login import log_in  # noqa: E402

directory, steps = sys.argv[1:]
steps = json.loads(steps)
logins = {user: log_in(directory, user) for user, *_ in steps}
# A terminal that nobody types at: other input counts as image data.
terminal = pty.openpty()[1]
for user, words, file in steps:
    if file is None:
        os.dup2(terminal, 0)
    else:
        with subprocess.Popen(["cat", file], stdout=subprocess.PIPE).stdout as pipe:
            os.dup2(pipe.fileno(), 0)
    sys.stdin = os.fdopen(0, closefd=False)
    url, session = logins[user]
    os.environ.update(OS_IMAGE_URL=url, OS_AUTH_TOKEN=session.get_token())
    try:
        shell.OpenStackImagesShell().main(words)
    except (Exception, SystemExit) as e:
        sys.exit(f"as {user}: glance {' '.join(words)}: {e}")
