"""Rows of other datasets as task folders, and the scripts that grade them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.errors import TaskError
from agentgym.rows import dataset_of, load_rows, task_parts, write_row
from agentgym.scoring.junit import verdicts
from agentgym.task import load_task

TEMPLATES = Path(agentgym.__path__[0]) / "templates"

FIX = """\
diff --git a/calc.py b/calc.py
--- a/calc.py
+++ b/calc.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a - b
+    return a + b
"""
TEST_PATCH = """\
diff --git a/tests/test_calc.py b/tests/test_calc.py
--- a/tests/test_calc.py
+++ b/tests/test_calc.py
@@ -1,2 +1,6 @@
 def test_nothing():
     pass
+
+
+def test_add():
+    assert __import__("calc").add(1, 2) == 3
diff --git a/tests/new file.py b/tests/new file.py
new file mode 100644
--- /dev/null
+++ b/tests/new file.py
@@ -0,0 +1 @@
+NEW = 1
"""
SWEBENCH: dict[str, Any] = {
    "repo": "octo/calc",
    "instance_id": "octo__calc-7",
    "base_commit": "0123abc",
    "patch": FIX,
    "test_patch": TEST_PATCH,
    "problem_statement": "Sums are wrong.\n",
    "hints_text": "",
    "created_at": "2024-01-01",
    "version": "1.0",
    "FAIL_TO_PASS": '["tests/test_calc.py::test_add"]',
    "PASS_TO_PASS": '["tests/test_calc.py::test_nothing", "tests/test_calc.py::test_x[a b]"]',
    "environment_setup_commit": "0123abc",
}
V5: dict[str, Any] = {
    **SWEBENCH,
    "image": "swebench/sweb.eval.x86_64.octo_1776_calc-7:latest",
    "log_parser": "parse_log_pytest_v2",
    "eval_type": "pass_and_fail",
    "eval_script": (
        "#!/bin/bash\nset -uxo pipefail\ncd /testbed\n: '>>>>> Start Test Output'\npytest -rA tests\n"
        ": '>>>>> End Test Output'\ngit checkout 0123abc tests\n"
    ),
}
SWESMITH: dict[str, Any] = {
    "instance_id": "octo__calc.0123abcd.lm_rewrite__x1",
    "repo": "swesmith/octo__calc.0123abcd",
    "patch": FIX,
    "FAIL_TO_PASS": ["tests/test_calc.py::TestAdd::test_add"],
    "PASS_TO_PASS": ["tests/test_calc.py::test_nothing", "tests/more/test_b.py::test_c"],
    "image_name": "swebench/swesmith.x86_64.octo_1776_calc.0123abcd",
    "problem_statement": "Sums are wrong.",
}
R2E: dict[str, Any] = {
    "repo_name": "calc",
    "docker_image": "namanjain12/calc_final:0123abc",
    "commit_hash": "0123456789abcdef",
    "parsed_commit_content": "{}",
    "problem_statement": "Preamble\n[ISSUE]\nSums are wrong.\n[/ISSUE]\n",
    "expected_output_json": json.dumps(
        {
            "test_add": "PASSED",
            "TestA.test_b": "PASSED",
            "test_known_bad": "FAILED",
            "\x1b[1mtest_c\x1b[0m - x": "PASSED",
        }
    ),
}
REBENCH: dict[str, Any] = {
    "repo": "octo/calc",
    "instance_id": "octo__calc-8",
    "base_commit": "0123abc",
    "created_at": 1609298073000,
    "patch": FIX,
    "test_patch": TEST_PATCH,
    "problem_statement": "Sums are wrong.",
    "pr_description": "",
    "interface": "Function: add(a, b)",
    "language": "python",
    "image_name": "swerebenchv2/octo-calc:8-0123abc",
    "FAIL_TO_PASS": ["tests/test_calc.py::test_add"],
    "PASS_TO_PASS": [],
    "install_config": {
        "base_image_name": "python:3.11",
        "test_cmd": ["cd .", "pytest -rA tests"],
        "log_parser": "parse_log_pytest",
    },
    "meta": {},
}
ROWS = {"swe-bench": SWEBENCH, "swe-bench-v5": V5, "swe-smith": SWESMITH, "r2e-gym": R2E, "swe-rebench": REBENCH}


def without(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column not in columns}


def refusal(row: dict[str, Any]) -> str:
    with pytest.raises(TaskError) as caught:
        task_parts(row)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", ROWS)
def test_every_dataset_becomes_a_task_folder(tmp_path: Path, name: str) -> None:
    assert dataset_of(ROWS[name]) == name
    task = write_row(ROWS[name], tmp_path / "t")
    again = write_row(ROWS[name], tmp_path / "again" / "t")
    assert load_task(tmp_path / "t") == task
    assert task.checksum == again.checksum
    assert task.unknown_keys == ()
    assert "Sums are wrong." in task.instruction
    assert task.fail_to_pass
    assert task.config.environment.network_mode == "no-network"
    assert task.gym.grading == "diff"
    assert task.gym.protected
    assert task.environment_dir is not None
    dockerfile = (task.environment_dir / "Dockerfile").read_text()
    assert dockerfile.startswith("FROM ")
    assert ("update-ref -d" in dockerfile) != ("rm -rf .git" in dockerfile)


def test_the_split_follows_the_dataset(tmp_path: Path) -> None:
    splits = {name: task_parts(row).config.metadata.agentgym.split for name, row in ROWS.items()}
    assert {name for name, split in splits.items() if split == "heldout"} == {"swe-bench", "swe-bench-v5"}


def test_the_environment_can_be_made_by_the_caller(tmp_path: Path) -> None:
    task = write_row(SWEBENCH, tmp_path / "t", dockerfile=lambda row: f"FROM python:3.11-bookworm\n# {row['repo']}\n")
    assert (task.path / "environment/Dockerfile").read_text() == "FROM python:3.11-bookworm\n# octo/calc\n"


def test_columns_that_fit_no_dataset_are_told() -> None:
    assert refusal(without(SWEBENCH, "test_patch", "base_commit")) == (
        "row octo__calc-7: found columns FAIL_TO_PASS, PASS_TO_PASS, created_at, environment_setup_commit, hints_text, "
        "instance_id, patch, problem_statement, repo, version, wanted those of a known dataset: "
        "nearest is swe-smith without image_name "
        "(swe-bench-v5 lacks image, log_parser, eval_type, eval_script; "
        "swe-rebench lacks base_commit, test_patch, image_name, install_config; "
        "r2e-gym lacks docker_image, repo_name, commit_hash, expected_output_json; "
        "swe-bench lacks base_commit, test_patch; swe-smith lacks image_name)"
    )
    assert "row (no instance_id): found columns (none)" in refusal({})


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({**SWEBENCH, "FAIL_TO_PASS": "[]"}, "FAIL_TO_PASS: found none, wanted a test that tells a fix from no fix"),
        ({**SWEBENCH, "FAIL_TO_PASS": "nonsense"}, "row octo__calc-7: FAIL_TO_PASS: not JSON"),
        ({**SWEBENCH, "FAIL_TO_PASS": "3"}, "FAIL_TO_PASS: found 3, wanted a list of test ids, or its JSON"),
        ({**SWESMITH, "PASS_TO_PASS": ["a.py::b\n"]}, "PASS_TO_PASS: found"),
        (
            {**SWEBENCH, "FAIL_TO_PASS": '["test_add (calc.tests.AddTests)"]'},
            'found "test_add (calc.tests.AddTests)", wanted an id as path.py::test; for other runners use the row of',
        ),
        ({**SWEBENCH, "FAIL_TO_PASS": '["t.py::test_f[log(photon"]'}, "which the dataset cut off, wanted a whole id"),
        ({**SWEBENCH, "patch": None}, "patch: found null, wanted text"),
        ({**SWEBENCH, "test_patch": "no diff"}, 'test_patch: found "no diff", wanted a unified diff'),
        ({**V5, "eval_type": "fail_only"}, 'eval_type: found "fail_only", wanted "pass_and_fail"'),
        ({**V5, "log_parser": "parse_log_cargo"}, 'log_parser: found "parse_log_cargo", wanted one that is known here'),
        ({**V5, "eval_script": "pytest"}, 'wanted the marker ">>>>> Start Test Output" around the test command'),
        (
            {**R2E, "expected_output_json": "[]"},
            "row 0123456789abcdef: expected_output_json: found [], wanted an object",
        ),
        ({**R2E, "expected_output_json": '{"a": "FAILED"}'}, "FAIL_TO_PASS: found none"),
        ({**REBENCH, "install_config": {"log_parser": "x"}}, 'install_config.log_parser: found "x"'),
        (
            {**REBENCH, "install_config": {"log_parser": "parse_log_pytest"}},
            "install_config.test_cmd: found null, wanted one or more commands",
        ),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: dict[str, Any], line: str) -> None:
    assert line in refusal(row)


# ------------------------------------------------------------------------------------------------- one by one


def test_swebench_starts_from_its_image_and_applies_the_test_patch(tmp_path: Path) -> None:
    task = write_row(SWEBENCH, tmp_path / "octo__calc-7")
    assert task.config.task is not None
    assert task.config.task.name == "swe-bench/octo__calc-7"
    assert task.pass_to_pass == ("tests/test_calc.py::test_nothing", "tests/test_calc.py::test_x[a b]")
    assert task.gym.protected == ("tests/new file.py", "tests/test_calc.py")
    assert task.gym.source is not None
    assert task.gym.source.git == "https://github.com/octo/calc"
    assert (
        (task.path / "environment/Dockerfile")
        .read_text()
        .startswith("FROM swebench/sweb.eval.x86_64.octo_1776_calc-7:latest\nWORKDIR /testbed\nENV PATH=")
    )
    assert (task.path / "tests/grade.sh").read_bytes() == (TEMPLATES / "test.sh").read_bytes()
    assert (task.path / "solution/fix.patch").read_text() == FIX


def test_swebench_ids_that_were_cut_off_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    row = {**SWEBENCH, "PASS_TO_PASS": '["t.py::test_f[log(photon", "t.py::test_g[a]", "t.py::test_h"]'}
    with caplog.at_level(logging.WARNING):
        assert task_parts(row).pass_to_pass == ("t.py::test_g[a]", "t.py::test_h")
    assert caplog.messages == ["row octo__calc-7: PASS_TO_PASS: 1 ids that the dataset cut off are left out"]


def test_the_test_patch_overwrites_whatever_the_agent_did(tmp_path: Path) -> None:
    repo = tmp_path / "testbed"
    (repo / "tests").mkdir(parents=True)
    (repo / "tests/test_calc.py").write_text("def test_nothing():\n    pass\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "base"]):
        subprocess.run([*git, *command], cwd=repo, check=True)
    base = subprocess.run(
        [*git, "rev-parse", "HEAD"], cwd=repo, capture_output=True, text=True, check=True
    ).stdout.strip()
    (repo / "tests/test_calc.py").write_text("def test_add():\n    pass\n")
    (repo / "tests/new file.py").write_text("OLD = 1\n")
    task = write_row({**SWEBENCH, "base_commit": base}, tmp_path / "task")
    tests = task.path / "tests"
    (tests / "grade.sh").write_text("#!/bin/bash\necho graded\n")
    run_moved(tests / "test.sh", tests, tmp_path / "logs", repo)
    assert "def test_add" in (repo / "tests/test_calc.py").read_text()
    assert (repo / "tests/new file.py").read_text() == "NEW = 1\n"
    (repo / "tests/test_calc.py").unlink()
    (repo / ".git/HEAD").unlink()
    shown = run_moved(tests / "test.sh", tests, tmp_path / "logs", repo)
    assert shown.returncode != 0
    assert "graded" not in shown.stdout


def test_the_solutions_apply(tmp_path: Path) -> None:
    buggy, fixed = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
    for row, before, after in ((SWEBENCH, buggy, fixed), (SWESMITH, fixed, buggy)):
        repo = tmp_path / row["instance_id"]
        repo.mkdir()
        (repo / "calc.py").write_text(before)
        task = write_row(row, tmp_path / "tasks" / row["instance_id"])
        script = (task.path / "solution/solve.sh").read_text().replace("/solution/", f"{task.path}/solution/")
        subprocess.run(["bash", "-c", script], cwd=repo, check=True)
        assert (repo / "calc.py").read_text() == after


def test_swesmith_starts_on_the_branch_of_the_bug(tmp_path: Path) -> None:
    task = write_row(SWESMITH, tmp_path / "t")
    dockerfile = (task.path / "environment/Dockerfile").read_text()
    assert "git checkout --quiet --force octo__calc.0123abcd.lm_rewrite__x1" in dockerfile
    assert dockerfile.index("git checkout") < dockerfile.index("rm -rf .git")
    assert task.gym.protected == ("tests/more/test_b.py", "tests/test_calc.py")
    assert (task.path / "tests/test.sh").read_bytes() == (TEMPLATES / "test.sh").read_bytes()


def test_v5_runs_its_own_script_and_keeps_the_exit_code(tmp_path: Path) -> None:
    task = write_row(V5, tmp_path / "t")
    assert (task.path / "tests/eval.sh").read_text().splitlines()[4:] == [
        "pytest -rA tests",
        "agentgym_status=$?",
        ": '>>>>> End Test Output'",
        'echo ">>>>> Test Exit Code: $agentgym_status"',
        "git checkout 0123abc tests",
    ]
    settings = json.loads((task.path / "tests/tests.json").read_text())
    assert (settings["log_parser"], settings["report"]) == ("pytest", True)
    assert task.solution_dir is not None


def test_v5_without_a_patch_has_no_solution_and_under_tox_no_report(tmp_path: Path) -> None:
    script = V5["eval_script"].replace("pytest -rA", "tox -- -rA")
    task = write_row({**without(V5, "patch", "base_commit"), "eval_script": script}, tmp_path / "t")
    assert task.solution_dir is None
    assert task.gym.source is None
    assert json.loads((task.path / "tests/tests.json").read_text())["report"] is False


def test_v5_names_that_are_no_tests_are_left_out() -> None:
    assert task_parts({**V5, "PASS_TO_PASS": ["[100%]", "a b", "a b"]}).pass_to_pass == ("a b",)


def test_r2e_requires_what_should_pass_and_nothing_else(tmp_path: Path) -> None:
    task = write_row(R2E, tmp_path / "t")
    assert task.instruction == "Sums are wrong.\n"
    assert task.fail_to_pass == ("test_add", "TestA.test_b", "test_c")
    assert task.pass_to_pass == ()
    assert task.name == "calc-0123456789ab"
    assert task.solution_dir is None


def test_r2e_tells_repaired_tests_where_the_row_does(tmp_path: Path) -> None:
    names = "PASSED r2e_tests/test_1.py::TestA::test_b\nFAILED r2e_tests/test_1.py::test_add - no\n"
    log = f"== short test summary info ==\n{names}"
    row = {**R2E, "execution_result_content": json.dumps({"old_commit_res_stdout": log})}
    parts = task_parts(row)
    assert parts.fail_to_pass == ("test_add", "test_c")
    assert parts.pass_to_pass == ("TestA.test_b",)


def test_swerebench_tells_the_interface_and_runs_all_commands(tmp_path: Path) -> None:
    task = write_row({**REBENCH, "install_config": json.dumps(REBENCH["install_config"])}, tmp_path / "t")
    assert task.instruction == "Sums are wrong.\n\n## Interface\n\nFunction: add(a, b)\n"
    assert "(\nset -e\ncd .\npytest -rA tests\n)\nstatus=$?\n" in (task.path / "tests/eval.sh").read_text()
    assert "WORKDIR /calc\n" in (task.path / "environment/Dockerfile").read_text()


# ------------------------------------------------------------------------------------------------- files of rows


def test_rows_are_loaded_from_json_and_jsonl(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        json.dumps(SWEBENCH) + "\n\n" + json.dumps({"text": "a\u2028b"}, ensure_ascii=False)
    )
    (tmp_path / "b.json").write_text(json.dumps([SWESMITH]))
    assert load_rows(tmp_path / "a.jsonl") == [SWEBENCH, {"text": "a\u2028b"}]
    assert load_rows(tmp_path / "b.json") == [SWESMITH]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b"{}\n{", "a.jsonl:2: not JSON"),
        ("a.jsonl", b"{}\n\n[1]\n", "a.jsonl:3: found [1], wanted an object with the columns of a row"),
        ("a.json", b"{}", "a.json: found {}, wanted a list of rows"),
        ("a.json", b"[{}, 1]", "a.json: row 2: found 1, wanted an object"),
        ("a.json", b"\xff", "a.json: found a byte that is not UTF-8 at offset 0"),
        ("a.csv", b"", 'a.csv: found a file that ends in ".csv", wanted .jsonl or .json'),
        ("", None, "no such file, wanted a dataset as .jsonl or .json"),
    ],
)
def test_files_that_hold_no_rows_are_told(tmp_path: Path, name: str, content: bytes | None, line: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TaskError) as caught:
        load_rows(tmp_path / (name or "missing.json"))
    assert line in str(caught.value)


# ------------------------------------------------------------------------------------------------- grading by log


def run_moved(script: Path, tests: Path, logs: Path, workdir: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that expects /tests and /logs/verifier, with both elsewhere."""
    text = script.read_text().replace("/logs/verifier", str(logs)).replace("/tests/", f"{tests}/")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(workdir), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        ["bash", "-c", text], cwd=workdir, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


class Grading:
    """A work tree, a task made of a row, and what its tests/test.sh leaves behind."""

    def __init__(self, home: Path) -> None:
        self.repo = home / "testbed"
        self.logs = home / "logs"
        self.home = home
        (self.repo / "tests").mkdir(parents=True)

    def grade(self, row: dict[str, Any]) -> tuple[float | None, dict[str, str]]:
        shutil.rmtree(self.home / "task", ignore_errors=True)
        task = write_row(row, self.home / "task")
        script = (task.path / "tests/eval.sh").read_text().replace("/root/", f"{self.home}/")
        script = script.replace("/tests/", f"{task.path}/tests/")
        (task.path / "tests/eval.sh").write_text(script)
        self.shown = run_moved(task.path / "tests/test.sh", task.path / "tests", self.logs, self.repo)
        reward, report = self.logs / "reward.txt", self.logs / "junit.xml"
        found = verdicts(report.read_bytes(), task.fail_to_pass + task.pass_to_pass) if report.exists() else {}
        return (float(reward.read_text()) if reward.exists() else None), dict(found)


@pytest.fixture
def grading(tmp_path: Path) -> Grading:
    return Grading(tmp_path)


def pytest_row(
    fail: list[str], stay: list[str], command: str = "python -m pytest -rA -p no:cacheprovider tests"
) -> dict[str, Any]:
    script = (
        f"#!/bin/bash\nset -uxo pipefail\n: '>>>>> Start Test Output'\n{command}\n: '>>>>> End Test Output'\ntrue\n"
    )
    return {**V5, "FAIL_TO_PASS": fail, "PASS_TO_PASS": stay, "eval_script": script}


TESTS_OF_MANY_KINDS = """\
import pytest

def test_passes(): pass
def test_fails(): assert False, "FAILED - really"
@pytest.mark.skip(reason="no")
def test_skips(): pass
@pytest.mark.xfail
def test_known(): assert False
@pytest.mark.parametrize("x", ["a b", "c - d", "/long/path"])
def test_parameters(x): pass
class TestGroup:
    def test_inside(self): pass
"""


def test_a_log_is_read_by_name(grading: Grading) -> None:
    (grading.repo / "tests/test_a.py").write_text(TESTS_OF_MANY_KINDS)
    here = "tests/test_a.py::"
    fail = [f"{here}test_passes", f"{here}TestGroup::test_inside", f"{here}test_known", f"{here}test_parameters[a"]
    stay = [
        f"{here}test_parameters[a b]",
        f"{here}test_parameters[c - d]",
        f"{here}test_skips",
        f"{here}test_parameters[/path]",
    ]
    reward, found = grading.grade(pytest_row(fail, stay))
    assert set(found.values()) == {"passed"}, grading.shown.stdout
    assert reward == 1


@pytest.mark.parametrize(
    ("fail", "verdict"), [("test_fails", "failed"), ("test_skips", "skipped"), ("test_absent", "missing")]
)
def test_a_required_test_that_did_not_pass_costs_the_reward(grading: Grading, fail: str, verdict: str) -> None:
    (grading.repo / "tests/test_a.py").write_text(TESTS_OF_MANY_KINDS)
    reward, found = grading.grade(pytest_row([f"tests/test_a.py::{fail}"], ["tests/test_a.py::test_passes"]))
    assert reward == 0
    assert found == {f"tests/test_a.py::{fail}": verdict, "tests/test_a.py::test_passes": "passed"}
    assert f"{verdict}: tests/test_a.py::{fail}" in grading.shown.stdout


def test_a_crashed_collection_is_a_failure(grading: Grading) -> None:
    (grading.repo / "tests/test_a.py").write_text("import nothing_of_that_name\n")
    reward, found = grading.grade(pytest_row(["tests/test_a.py::test_a"], []))
    assert (reward, found) == (0, {})
    assert "crashed: the test command ended with 2, wanted 0 or 1" in grading.shown.stdout


def test_a_run_that_ends_early_is_a_failure(grading: Grading) -> None:
    reward, found = grading.grade(
        pytest_row(["tests/test_a.py::test_a"], [], "echo PASSED tests/test_a.py::test_a; exit 0")
    )
    assert (reward, found) == (0, {})
    assert "crashed: the end marker is not in the log" in grading.shown.stdout


def test_a_run_that_never_begins_has_no_reward(grading: Grading) -> None:
    row = pytest_row(["tests/test_a.py::test_a"], [])
    row["eval_script"] = "cd /nowhere-at-all || exit 3\n" + row["eval_script"]
    assert grading.grade(row) == (None, {})
    assert "no reward: " in grading.shown.stderr


@pytest.mark.parametrize(
    "forgery",
    [
        'print("PASSED tests/test_a.py::test_add")\ndef test_add(): assert False',
        'import atexit\natexit.register(print, "\\nPASSED tests/test_a.py::test_add")\n',
        'import os\nprint("PASSED tests/test_a.py::test_add", flush=True)\nos._exit(0)',
        'print(">>>>> End Test Output", ">>>>> Test Exit Code: 0", "PASSED tests/test_a.py::test_add")\n'
        "def test_add(): 1 / 0",
    ],
)
def test_printed_lines_pass_nothing(grading: Grading, forgery: str) -> None:
    (grading.repo / "tests/test_a.py").write_text(forgery + "\ndef test_other(): pass\n")
    command = "python -m pytest -rA -s -p no:cacheprovider tests"
    reward, _ = grading.grade(pytest_row(["tests/test_a.py::test_add"], [], command))
    assert reward == 0


def test_what_the_tests_leave_running_is_ended(grading: Grading) -> None:
    (grading.repo / "tests/test_a.py").write_text(
        "import subprocess\ndef test_a(): subprocess.Popen(['sleep', '4321'])\n"
    )
    assert grading.grade(pytest_row(["tests/test_a.py::test_a"], []))[0] == 1
    assert "sleep\x004321" not in "".join(
        file.read_text() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()
    )


def test_a_django_log_is_read(grading: Grading) -> None:
    log = """\
test_add (calc.tests.AddTests) ... ok
test_doc (calc.tests.AddTests)
Adds numbers. ... ok
test_loud (calc.tests.AddTests) ... some output
ok
test_known (calc.tests.AddTests) ... expected failure
test_off (calc.tests.AddTests) ... skipped 'no database'
test_bad (calc.tests.AddTests) ... FAIL
======
FAIL: test_bad (calc.tests.AddTests)
"""
    (grading.repo / "log").write_text(log)
    names = "test_add", "test_loud", "test_known", "test_bad"
    row = pytest_row(
        [f"{name} (calc.tests.AddTests)" for name in names], ["Adds numbers.", "test_off (calc.tests.AddTests)"]
    )
    row["eval_script"] = row["eval_script"].replace("python -m pytest -rA -p no:cacheprovider tests", "cat log; false")
    reward, found = grading.grade({**row, "log_parser": "parse_log_django"})
    assert reward == 0
    assert [name for name, verdict in found.items() if verdict != "passed"] == ["test_bad (calc.tests.AddTests)"]
    assert grading.grade({**row, "log_parser": "parse_log_django", "FAIL_TO_PASS": row["FAIL_TO_PASS"][:3]})[0] == 1


def test_a_sympy_log_is_read(grading: Grading) -> None:
    (grading.repo / "log").write_text("calc/tests/test_add.py[3]\ntest_add ok\ntest_known f\ntest_bad F   [FAIL]\n")
    row = pytest_row(["test_add", "test_known"], [], "cat log; false")
    assert grading.grade({**row, "log_parser": "parse_log_sympy"}) == (
        1,
        {"test_add": "passed", "test_known": "passed"},
    )
    row = pytest_row(["test_bad", "test_gone"], [], "cat log; false")
    found = {"test_bad": "failed", "test_gone": "missing"}
    assert grading.grade({**row, "log_parser": "parse_log_sympy"}) == (0, found)


def test_a_log_that_hides_the_failure_passes_nothing(grading: Grading) -> None:
    row = pytest_row(["test_add"], [], "echo test_add ok; false")
    assert grading.grade({**row, "log_parser": "parse_log_sympy"})[0] == 0
    assert "the test command failed, and its log names no test that did" in grading.shown.stdout


def test_r2e_is_graded_by_names_without_files(grading: Grading) -> None:
    (grading.home / "r2e_tests").mkdir()
    (grading.home / "r2e_tests/test_1.py").write_text(
        "from calc import add\ndef test_add(): assert add(1, 2) == 3\nclass TestA:\n    def test_b(self): pass\n"
        "def test_known_bad(): pass\ndef test_c(): pass\n"
    )
    (grading.home / "run_tests.sh").write_text("PYTHONPATH=. python -m pytest -rA -p no:cacheprovider r2e_tests\n")
    (grading.repo / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    assert grading.grade(R2E) == (0, {"test_add": "failed", "TestA.test_b": "passed", "test_c": "passed"})
    (grading.repo / "calc.py").write_text("def add(a, b):\n    return a + b\n")
    # the test that was expected to fail passes, which is no fault
    assert grading.grade(R2E) == (1, {"test_add": "passed", "TestA.test_b": "passed", "test_c": "passed"})
    assert not (grading.repo / "r2e_tests").exists()


def test_swerebench_is_graded_with_its_test_patch(grading: Grading) -> None:
    (grading.repo / "tests/test_calc.py").write_text("def test_nothing():\n    pass\n")
    (grading.repo / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "base"], ["tag", "base"]):
        subprocess.run([*git, *command], cwd=grading.repo, check=True)
    install = {**REBENCH["install_config"], "test_cmd": "python -m pytest -rA -p no:cacheprovider tests"}
    row = {**REBENCH, "base_commit": "base", "install_config": install}
    assert grading.grade(row) == (0, {"tests/test_calc.py::test_add": "failed"})
    (grading.repo / "calc.py").write_text("def add(a, b):\n    return a + b\n")
    assert grading.grade(row) == (1, {"tests/test_calc.py::test_add": "passed"})
    assert grading.grade({**row, "base_commit": "gone"}) == (None, {})


# ------------------------------------------------------------------------------------------------- history


def run_steps(dockerfile: str, repo: Path) -> None:
    """The RUN steps of a generated Dockerfile, in `repo`."""
    for step in dockerfile.replace("\\\n", " ").split("\n"):
        if step.startswith("RUN "):
            subprocess.run(["sh", "-ec", step.removeprefix("RUN ")], cwd=repo, check=True)


def git(repo: Path, *arguments: str, check: bool = True) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, check=check).stdout.strip()


def commit(repo: Path, subject: str, **files: str | None) -> str:
    for name, text in files.items():
        if text is None:
            (repo / f"{name}.py").unlink()
        else:
            (repo / f"{name}.py").write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", subject)
    return git(repo, "rev-parse", "HEAD")


def test_commits_after_the_tasks_own_are_cut_off(tmp_path: Path) -> None:
    (repo := tmp_path / "testbed").mkdir()
    git(repo, "init", "-qb", "main")
    base = commit(repo, "base", calc="1")
    git(repo, "tag", "v1")
    fix = commit(repo, "fix", calc="2")
    git(repo, "tag", "-am", "v2", "v2")
    git(repo, "branch", "future")
    git(repo, "remote", "add", "origin", "https://localhost/calc")
    git(repo, "update-ref", "refs/remotes/origin/main", fix)
    (repo / "calc.py").write_text("3")
    git(repo, "stash")
    git(repo, "reset", "--hard", base)
    run_steps(task_parts(SWEBENCH).files["environment/Dockerfile"].decode(), repo)
    assert git(repo, "rev-parse", "HEAD", "v1") == f"{base}\n{base}"
    assert git(repo, "rev-list", "--all", "--reflog") == base
    assert git(repo, "remote") == ""
    assert fix[:10] not in git(repo, "cat-file", "--batch-all-objects", "--batch-check")
    # running it where there is no repository does nothing
    (tmp_path / "plain").mkdir()
    run_steps(task_parts(SWEBENCH).files["environment/Dockerfile"].decode(), tmp_path / "plain")


@pytest.mark.parametrize("tests_removed", [True, False])
def test_swesmith_keeps_the_bug_and_drops_the_history(tmp_path: Path, tests_removed: bool) -> None:
    (repo := tmp_path / "testbed").mkdir()
    git(repo, "init", "-qb", "main")
    commit(repo, "initial", calc="right", test_calc="test")
    git(repo, "checkout", "-qb", SWESMITH["instance_id"])
    commit(repo, "Bug Patch", calc="wrong")
    if tests_removed:
        commit(repo, "Remove F2P Tests", test_calc=None)
    git(repo, "checkout", "-q", "main")
    run_steps(task_parts(SWESMITH).files["environment/Dockerfile"].decode(), repo)
    assert (repo / "calc.py").read_text() == "wrong"
    assert (repo / "test_calc.py").read_text() == "test"
    assert git(repo, "log", "--all", "--format=%s") == "Initial state"
    assert git(repo, "status", "--porcelain") == ""
