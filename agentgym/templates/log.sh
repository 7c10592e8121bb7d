#!/bin/bash
# Grade by a log: run /tests/eval.sh as root from the image's WORKDIR, read the tests' verdicts between the two markers of
# its output, verdict in /logs/verifier. For rows of datasets that bring their own way of running tests (agentgym/rows.py).
# A required test that the log does not name failed, and so did all when the run crashed; where it never began there is no
# reward. Where the runner is pytest its own XML report must agree, because a line that says PASSED is printed easily.
# Such scripts patch and install, so they run as root: unlike test.sh this is no match for code under test that forges files.
set -u
verdict=/logs/verifier
mkdir -p $verdict && chmod 700 $verdict && rm -rf "${verdict:?}"/*
python=$(command -v python3 || echo /opt/miniconda3/bin/python3)

export TZ=UTC PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PYTEST_ADDOPTS="--junitxml=$verdict/report.xml"
setsid bash /tests/eval.sh > $verdict/eval.log 2>&1 < /dev/null &
wait $!
kill -KILL -- -$! 2> /dev/null # nothing that the tests left running outlives them

# Python 3.6 and later
"$python" -I - <<'PY'
import io, json, re, sys
import xml.etree.ElementTree as ElementTree

VERDICT = "/logs/verifier/"
START, END, EXIT = ">>>>> Start Test Output", ">>>>> End Test Output", ">>>>> Test Exit Code: "
WORST = ["PASSED", "XFAIL", "SKIPPED", "FAILED", "ERROR"]
STATUS = "|".join(WORST)
BUTTONS = {"MouseButton.LEFT": "1", "MouseButton.MIDDLE": "2", "MouseButton.RIGHT": "3"}

tests = json.load(io.open("/tests/tests.json", encoding="utf-8"))
log = io.open(VERDICT + "eval.log", encoding="utf-8", errors="replace").read()


def spellings(name):
    """The ways in which datasets write the name of one test: whole, cut at a space, long paths in [] shortened."""
    for old, new in BUTTONS.items():
        name = name.replace(old, new)
    short = re.sub(r"\[/(?!/)[^*\]]*/([^/\]]*)\]$", r"[/\1]", name)
    return {name, short, name.split()[0], short.split()[0]} if name.split() else set()


def worst(pairs):
    found = {}
    for name, status in pairs:
        for spelling in spellings(name):
            found[spelling] = max(found.get(spelling, "PASSED"), status, key=WORST.index)
    return found


def pytest_lines(text):
    for line in text.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        line = re.sub(r"[\x00-\x1f]", "", line)
        first = re.match(r"(%s) (?!\[\d+\])(.+)$" % STATUS, line)
        last = re.match(r"(\S.*?::.*?) (%s)(?: +\[ *\d+%%\])?$" % STATUS, line)
        if first:
            status, name = first.groups()
            yield (name if status == "PASSED" else name.split(" - ")[0]), status
        elif last:
            yield last.groups()


def r2e_lines(text):
    for name, status in pytest_lines(text.partition("short test summary info")[2]):
        yield ".".join(name.split("::")[1:]), status


def django_lines(text):
    words = {"ok": "PASSED", "expected failure": "XFAIL", "skipped": "SKIPPED", "FAIL": "FAILED", "ERROR": "ERROR"}
    name = None
    for line in text.splitlines():
        line = line.strip()
        head, dots, tail = line.partition(" ... ")
        if dots:
            name = head
        heading = re.match(r"(FAIL|ERROR): (.+)$", line)
        if heading:
            yield heading.group(2), words[heading.group(1)]
        elif name:
            # the word may stand some lines below the name, after what the test printed
            word = re.search(r"(?:^|\s)(ok|expected failure|FAIL|ERROR)$|^(skipped) ", tail if dots else line, re.I)
            if word:
                word = word.group(1) or word.group(2)
                yield name, words[word if word in words else "ok"]
                name = None


def sympy_lines(text):
    words = {"ok": "PASSED", "f": "XFAIL", "s": "SKIPPED", "F": "FAILED", "E": "ERROR"}
    for line in text.splitlines():
        match = re.match(r"(test_\S*) (ok|f|s|F|E)\b", line.strip())
        if match:
            yield match.group(1), words[match.group(2)]


def report_cases():
    for case in ElementTree.parse(VERDICT + "report.xml").iter("testcase"):
        children = {child.tag: child for child in case}
        status = "ERROR" if "error" in children else "FAILED" if "failure" in children else "PASSED"
        if status == "PASSED" and "skipped" in children:
            status = "XFAIL" if children["skipped"].get("type") == "pytest.xfail" else "SKIPPED"
        home = case.get("classname") or ""
        if tests["log_parser"] == "r2e":
            yield report_key(".".join(home.split(".")[2:] + [case.get("name")])), status
        else:
            yield home + "::" + case.get("name"), status


def report_key(test):
    """`a/b.py::C::d[e]` as pytest's report writes it: `a.b.C::d[e]`. Another name stands before the ::."""
    head, bracket, parameters = test.partition("[")
    parts = head.split("::")
    home = re.sub(r"\.py$", "", parts[0]).replace("/", ".")
    return ".".join([home] + parts[1:-1]) + "::" + (parts[-1] if parts[1:] else "") + bracket + parameters


PARSERS = {"pytest": pytest_lines, "r2e": r2e_lines, "django": django_lines, "sympy": sympy_lines}
shown, crash = {}, ""
if START not in log:
    sys.exit("no reward: /tests/eval.sh ended before it ran a test; it last said: " + log.strip()[-500:])
if END not in log.partition(START)[2]:
    crash = "the end marker is not in the log"
else:
    codes = re.findall(re.escape(EXIT) + r"(-?\d+)", log.rpartition(END)[2])
    if not codes or codes[-1] not in ("0", "1"):
        crash = "the test command ended with %s, wanted 0 or 1" % (codes[-1] if codes else "no exit code")
    else:
        shown = worst(PARSERS[tests["log_parser"]](log.partition(START)[2].rpartition(END)[0]))
        if codes[-1] == "1" and not {"FAILED", "ERROR"} & set(shown.values()):
            crash, shown = "the test command failed, and its log names no test that did", {}
reported = None
if tests["report"] and not crash:
    try:
        reported = worst(report_cases())
    except (OSError, ElementTree.ParseError) as error:
        crash, shown, reported = "no report: %s" % error, {}, {}

good = True
graded = ElementTree.Element("testsuite", name="required")
for group in ("fail_to_pass", "pass_to_pass"):
    for test in tests[group]:
        status = shown.get(test)
        told = status if reported is None else reported.get(report_key(test))
        if status is None and told == "SKIPPED":
            status = told  # pytest's summary counts skipped tests, and does not name them
        elif status is not None and told != status:
            print("log and report disagree: %s" % test)
            status = "FAILED"
        verdict = {"PASSED": "passed", "XFAIL": "passed", "SKIPPED": "skipped", None: "missing"}.get(status, "failed")
        if verdict == "skipped" and group == "pass_to_pass":
            verdict = "passed"  # it did not get worse; of fail_to_pass it did not get repaired
        home, _, name = report_key(test).rpartition("::")
        if verdict != "missing":
            case = ElementTree.SubElement(graded, "testcase", classname=home, name=name)
        if verdict in ("failed", "skipped"):
            ElementTree.SubElement(case, {"failed": "failure"}.get(verdict, verdict), message=status)
        if verdict != "passed":
            good = False
            print("%s: %s" % (verdict, test))
if crash:
    print("crashed: " + crash)
else:
    # one case for each required test, by the names that they have in tests.json
    ElementTree.ElementTree(graded).write(VERDICT + "junit.xml", encoding="utf-8")
with io.open(VERDICT + "reward.txt", "w") as file:
    file.write("1\n" if good and not crash else "0\n")
PY
