"""Run commands of the real `glance` one after another, each as some user; stop at the first that fails.

  play.py DIR STEPS       STEPS is JSON: [[USER, [WORD, …]], …]; DIR is that of a cloud started by `up`

One process for all of them: what takes time is the start of Python.
"""
import json
import os
import pty
import re
import sys

from glanceclient import shell

directory, steps = sys.argv[1:]
# A terminal that nobody types at: other input counts as image data.
os.dup2(pty.openpty()[1], 0)
sys.stdin = os.fdopen(0)
for user, words in json.loads(steps):
    os.environ.update(re.findall(r"(OS_\w+)=(\S+)", open(f"{directory}/{user}.rc").read()))
    try:
        shell.OpenStackImagesShell().main(words)
    except (Exception, SystemExit) as e:
        sys.exit(f"as {user}: glance {' '.join(words)}: {e}")
