#!/bin/bash
# Grade the work tree: run as root from the image's WORKDIR, this folder at /tests, verdict in /logs/verifier.
# The tests run as nobody, so the code under test can neither write the reward nor signal this script, and root's own
# Python (-I -S) loads nothing that the work tree can bring. Among the tests is a canary, some of whose tests must fail:
# it shows up whatever lets all tests pass. Not found out is code that rewrites single verdicts in pytest's own process
# and leaves the canary alone. Every repo task carries this file; agentgym/templates is its home.
set -u
workdir=$PWD
python=$(command -v python3)
verdict=/logs/verifier
mkdir -p $verdict && chmod 700 $verdict /tests && rm -rf "${verdict:?}"/*
scratch=$(mktemp -d) && chown 65534:65534 "$scratch"
[ -d /tests/files ] && cp -r --remove-destination /tests/files/. "$workdir/"

mapfile -t selected < <("$python" -I -S - <<'PY'
import json, pathlib, secrets

tests = json.loads(pathlib.Path("/tests/tests.json").read_text())
canary = "test_" + secrets.token_hex(6)
fates = {"test_" + secrets.token_hex(6): fate for fate in [True, False, *(secrets.randbelow(2) == 1 for _ in range(4))]}
lines = []
for name in sorted(fates):
    number = secrets.randbits(32)
    lines.append(f"def {name}():\n    assert 0x{number:x} == {number + (not fates[name])}\n")
pathlib.Path(canary + ".py").write_text("\n\n".join(lines))
expected = {f"{canary}::{name}": fate for name, fate in fates.items()}
pathlib.Path("/logs/verifier/canary.json").write_text(json.dumps(expected))
print(canary + ".py", *tests.get("pytest_args", []), *tests["fail_to_pass"], *tests["pass_to_pass"], sep="\n")
PY
)
# pytest is imported before the work tree is on the path
start='import sys; sys.path.remove(""); import os, pytest; sys.path.insert(0, os.getcwd()); sys.exit(pytest.main())'
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs)
"${nobody[@]}" \
    env HOME="$scratch" TMPDIR="$scratch" TZ=UTC LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
    "$python" -c "$start" -q -p no:cacheprovider -o addopts= --rootdir="$workdir" --basetemp="$scratch/tmp" \
    --junitxml="$scratch/junit.xml" "${selected[@]}" < /dev/null
status=$?
"${nobody[@]}" bash -c 'kill -KILL -1' # what the tests left running could still rewrite the report
rm -f "$workdir/${selected[0]}"
report=$scratch/junit.xml
[ -f "$report" ] && [ ! -L "$report" ] && [ "$(stat -c %s "$report")" -lt 33554432 ] && cp "$report" $verdict/junit.xml

"$python" -I -S - "$status" <<'PY'
import json, pathlib, sys
import xml.etree.ElementTree as ElementTree

status, verdict = int(sys.argv[1]), pathlib.Path("/logs/verifier")
tests = json.loads(pathlib.Path("/tests/tests.json").read_text())
expected = json.loads((verdict / "canary.json").read_text())
passed, failed = set(), set()
try:
    for case in ElementTree.parse(verdict / "junit.xml").iter("testcase"):
        key = f"{case.get('classname')}::{case.get('name')}"
        bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        (failed if bad else passed).add(key)
except (OSError, ElementTree.ParseError) as error:
    print(f"no report: pytest ended with {status}: {error}")


def key(test_id):
    path, _, rest = test_id.partition("::")
    *classes, name = rest.split("::") if "[" not in rest else [*rest[: rest.index("[")].split("::")]
    name += rest[rest.index("[") :] if "[" in rest else ""
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]) + "::" + name


told = {name: name in passed for name in expected if name in passed ^ failed}
honest = told == expected and status == 1
if (passed or failed or status in (0, 1)) and not honest:
    (verdict / "tampered").write_text(f"the canary was not reported as it ran (pytest ended with {status})\n")
missing = [t for t in tests["fail_to_pass"] + tests["pass_to_pass"] if key(t) not in passed - failed]
print(*(f"not passed: {t}" for t in missing), sep="\n")
(verdict / "reward.txt").write_text("1\n" if honest and not missing else "0\n")
PY
