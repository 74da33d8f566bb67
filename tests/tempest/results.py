"""Compare what tests did on the real Glance and on ours.

  results.py REAL OURS                the directories with a subunit stream per suite, NAME.subunit

Prints a table, then each test with another result. Exits with 1 if a test that passes on the real Glance does not
pass on ours, or if no test passed at all.
"""
import pathlib
import re
import sys

import subunit
import testtools

KINDS = {"success": "passed", "xfail": "passed", "fail": "failed", "uxsuccess": "failed", "inprogress": "failed",
         "skip": "skipped"}


def read(path):
    """Returns the result of each test of a stream; a class that is skipped or fails as a whole is one test."""
    results = {}

    class Collector(testtools.StreamResult):
        def status(self, test_id=None, test_status=None, **_):
            if test_id and test_status in KINDS:
                # Without the UUID and attributes of tempest.
                results[re.sub(r"\[[^]]*\]", "", test_id)] = KINDS[test_status]

    with open(path, "rb") as stream:
        subunit.ByteStreamToStreamResult(stream, non_subunit_name="output").run(Collector())
    return results


def main(real, ours):
    rows, differences, passed = [], [], 0
    for path in sorted(pathlib.Path(real).glob("*.subunit")):
        both = read(path), read(pathlib.Path(ours) / path.name)
        counts = [[list(results.values()).count(kind) for kind in ("passed", "failed", "skipped")] for results in both]
        passed += counts[1][0]
        rows.append((path.stem, *counts[0], *counts[1]))
        for test in sorted(both[0].keys() | both[1].keys()):
            kinds = [results.get(test, "missing") for results in both]
            if kinds[0] != kinds[1] or "failed" in kinds:
                differences.append((*kinds, test))
    total = ("all", *(sum(row[i] for row in rows) for i in range(1, 7)))
    print(f"{'':34}{'real Glance':^24}{'ours':^24}")
    print(f"{'suite':34}" + "".join(f"{kind:>8}" for kind in ("passed", "failed", "skipped") * 2))
    for row in (*rows, total):
        print(f"{row[0]:34}" + "".join(f"{count:>8}" for count in row[1:]))
    for title, wanted in (
        ("passes on the real Glance, but not on ours", lambda a, b: a == "passed" != b),
        ("passes on ours, but not on the real Glance", lambda a, b: a != "passed" == b),
        ("passes on neither", lambda a, b: "passed" not in (a, b)),
    ):
        found = [row for row in differences if wanted(*row[:2])]
        if found:
            print(f"\n{title}:")
            for a, b, test in found:
                print(f"  {test}  (real: {a}, ours: {b})")
    return 1 if not passed or any(a == "passed" for a, b, _ in differences if b != "passed") else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
