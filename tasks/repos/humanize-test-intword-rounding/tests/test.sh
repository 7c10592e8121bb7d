#!/bin/bash
# Grade a test file that the agent wrote: run as root from the image's WORKDIR, this folder at /tests, verdict in
# /logs/verifier. Every task of the kind write_test carries this file; agentgym/templates is its home. Beside it lie
#   tests.json        "test_file": the agent's file, relative to WORKDIR; "pythonpath": what a copy needs on sys.path
#                     (default ["."]); "fail_to_pass" and "pass_to_pass" are empty
#   fix.patch         the bug's fix, applied to the work tree as the image has it
#   variants/*.patch  other bugs that the test must find as well, each applied on top of the fix (may be absent)
# The test runs as nobody, alone (no conftest.py, no pytest configuration), in throw-away copies of the work tree at
# random paths and in random order: two with the bug, two with the fix, one for each variant. The reward is 1 if it
# fails inside a test wherever a bug is and passes wholly, without a skip, wherever none is.
# Not found out is a test that reads the sources to see which copy it is in; the variants make that harder.
set -u
mkdir -p /logs/verifier && chmod 700 /logs/verifier /tests && rm -rf /logs/verifier/*
mode=$(stat -c %a .)
chmod 700 . # a look at the original would tell the copies apart
python3 -I -S - "$(command -v python3)" <<'PY'
import json, os, pathlib, random, secrets, shutil, subprocess, sys, tempfile
import xml.etree.ElementTree as ElementTree

RUN_TIMEOUT_S = 60
REPORT_BYTES = 32 << 20
PYTEST = """
import sys; sys.path.remove("")
import os, pytest
paths = [os.path.join(os.getcwd(), path) for path in os.environ.pop("COPY_PATHS").split(os.pathsep)]
sys.path[:0] = paths; os.environ["PYTHONPATH"] = os.pathsep.join(paths)
sys.exit(pytest.main())
"""
nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
python, workdir, here, verdict = sys.argv[1], pathlib.Path.cwd(), pathlib.Path("/tests"), pathlib.Path("/logs/verifier")
task = json.loads((here / "tests.json").read_text())
test_file = task["test_file"]


class Rejected(Exception):
    """Why the test file earns nothing."""


def copy(base, patches):
    tree = base / secrets.token_hex(6)
    shutil.copytree(workdir, tree, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache"))
    tree.chmod(0o755)
    for patch in patches:
        done = subprocess.run(["patch", "-p1", "-s", "-F0", "-i", patch], cwd=tree, capture_output=True, text=True)
        if done.returncode:
            raise Rejected(f"{patch.name} does not apply, the sources were changed: {done.stdout.strip()}")
    return tree


def run(tree, base):
    """(exit status, {test: verdict}) of one run."""
    home = base / secrets.token_hex(6)
    home.mkdir()
    os.chown(home, 65534, 65534)
    report = home / "junit.xml"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "TZ": "UTC", "LC_ALL": "C.UTF-8",
           "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "COPY_PATHS": os.pathsep.join(task.get("pythonpath", ["."]))}
    command = [*nobody, python, "-c", PYTEST, "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--noconftest",
               f"--rootdir={tree}", f"--basetemp={home}/tmp", f"--junitxml={report}", test_file]
    try:
        status = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S).returncode
    except subprocess.TimeoutExpired:
        raise Rejected(f"a run took more than {RUN_TIMEOUT_S} s") from None
    finally:
        subprocess.run([*nobody, "bash", "-c", "kill -KILL -1"])  # nothing of this run may reach the next one
    if report.is_symlink() or not report.is_file() or report.stat().st_size > REPORT_BYTES:
        raise Rejected(f"a run left no report: pytest ended with {status}")
    verdicts = {}
    for case in ElementTree.fromstring(report.read_bytes()).iter("testcase"):
        found = {part.tag for part in case} & {"failure", "error", "skipped"}
        verdicts[f"{case.get('classname')}::{case.get('name')}"] = "+".join(sorted(found)) or "passed"
    shutil.rmtree(home)
    return status, verdicts


def grade(base):
    file = workdir / test_file
    if file.is_symlink() or not file.is_file():
        raise Rejected(f"there is no file {test_file}")
    fix = here / "fix.patch"
    plans = [("bug", []), ("fix", [fix])] * 2
    plans += [(f"variant {path.stem}", [fix, path]) for path in sorted((here / "variants").glob("*.patch"))]
    random.SystemRandom().shuffle(plans)
    names = None
    for label, patches in plans:
        print(f"--- {label}", flush=True)
        tree = copy(base, patches)
        status, verdicts = run(tree, base)
        shutil.rmtree(tree)
        if names not in (None, set(verdicts)):
            raise Rejected("the runs did not have the same tests")
        names, found = set(verdicts), set(verdicts.values())
        if label == "fix" and not (status == 0 and found == {"passed"}):
            raise Rejected(f"with the fix all of it must pass, found {verdicts} (pytest ended with {status})")
        if label != "fix" and not (status == 1 and "failure" in found and found <= {"failure", "passed"}):
            raise Rejected(f"with the {label} a test must fail, found {verdicts} (pytest ended with {status})")


reward = 0
with tempfile.TemporaryDirectory() as folder:
    base = pathlib.Path(folder)
    base.chmod(0o755)
    try:
        grade(base)
        reward = 1
    except (Rejected, ElementTree.ParseError) as error:
        print(f"rejected: {error}")
(verdict / "reward.txt").write_text(f"{reward}\n")
PY
chmod "$mode" .
