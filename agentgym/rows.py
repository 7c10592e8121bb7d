"""Rows of other datasets as tasks: SWE-bench (v4 and v5), SWE-smith, R2E-Gym, SWE-rebench-V2.

A row becomes the parts of a task folder; `write_row` writes them, and from there on it is a task like any other. The
images stay where the datasets keep them: environment/Dockerfile starts from them, so building needs an engine that can
pull. All are graded by the house's rules and not by their own: a required test that is missing failed, a crashed run
failed, and a test that was expected to fail may pass (R2E-Gym compares whole status maps, which punishes that).

- tests that pytest names by id are run by templates/test.sh, as in our own tasks: SWE-bench v4, SWE-smith
- rows that bring their own way of running tests are graded by its log, with templates/log.sh: the others

Nothing here opens the network or looks into an image.
"""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentgym.errors import TaskError
from agentgym.task import Task, TaskParts, write_task
from agentgym.toml import TaskConfig

Row = Mapping[str, Any]
DockerfileMaker = Callable[[Row], str]
"""Text of environment/Dockerfile for a row, in place of the dataset's own image."""

logger = logging.getLogger(__name__)

_TEMPLATES = Path(__file__).with_name("templates")
_START, _END, _EXIT = ">>>>> Start Test Output", ">>>>> End Test Output", ">>>>> Test Exit Code"
_PYTEST_ID = re.compile(r"[^\s:\[]+\.py::[^\x00-\x1f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PROGRESS = re.compile(r"\[\s*\d+%\]")
_CONDA = "/opt/miniconda3/envs/testbed/bin"

# log_parser of a row -> ours; the pytest family differs in how it cuts names, and log.sh knows all its spellings
_PYTEST_PARSERS = """
    pytest pytest_options pytest_v2 astroid astropy flask marshmallow matplotlib pvlib pydicom pylint pyvista requests
    scikit seaborn sphinx sqlfluff xarray
"""
_PARSERS = {
    **{f"parse_log_{name}": "pytest" for name in _PYTEST_PARSERS.split()},
    "parse_log_django": "django",
    "parse_log_sympy": "sympy",
}

# the commits after the task's own are cut off: a fix must not be dug out of the history
_CUT_HISTORY = """\
RUN if git rev-parse --quiet --git-dir > /dev/null; then \\
      git remote | xargs -r -n1 git remote remove \\
      && git for-each-ref --no-merged=HEAD --format='%(refname)' | xargs -r -n1 git update-ref -d \\
      && rm -f .git/ORIG_HEAD .git/FETCH_HEAD && git reflog expire --expire=now --all && git gc --quiet --prune=now; \\
    fi
"""
_NEW_HISTORY = """\
RUN rm -rf .git && git init --quiet && git add --all \\
 && git -c user.name=agentgym -c user.email=agentgym@localhost commit --quiet --message "Initial state"
"""


def task_parts(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """The task that a row of any known dataset describes. Raises TaskError with the columns that are missing."""
    return _MAKERS[dataset_of(row)](row, dockerfile=dockerfile)


def write_row(row: Row, folder: Path | str, *, dockerfile: DockerfileMaker | None = None) -> Task:
    """Write the row as the task folder `folder` (new or empty)."""
    return write_task(task_parts(row, dockerfile=dockerfile), folder)


def load_rows(path: Path | str) -> list[dict[str, Any]]:
    """Rows of a .jsonl file (one object a line) or a .json file (a list of objects)."""
    file = Path(path)
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise TaskError(f"{file}: no such file, wanted a dataset as .jsonl or .json") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{file}: found a byte that is not UTF-8 at offset {error.start}") from None
    if file.suffix == ".jsonl":
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = [_json(line, f"{file}:{number}") for number, line in numbered]
        places = [f"{file}:{number}" for number, _ in numbered]
    elif file.suffix == ".json":
        rows = _json(text, str(file))
        if not isinstance(rows, list):
            raise TaskError(f"{file}: found {_shown(rows)}, wanted a list of rows")
        places = [f"{file}: row {number}" for number in range(1, len(rows) + 1)]
    else:
        raise TaskError(f'{file}: found a file that ends in "{file.suffix}", wanted .jsonl or .json')
    for place, row in zip(places, rows, strict=True):
        if not isinstance(row, dict):
            raise TaskError(f"{place}: found {_shown(row)}, wanted an object with the columns of a row")
    return rows


def dataset_of(row: Row) -> str:
    """Which dataset the row's columns are of: "swe-bench", "swe-bench-v5", "swe-smith", "r2e-gym" or "swe-rebench"."""
    missing = {name: [column for column in columns if column not in row] for name, columns in _COLUMNS.items()}
    for name in _COLUMNS:
        if not missing[name]:
            return name
    near = min(missing, key=lambda name: len(missing[name]) / len(_COLUMNS[name]))
    lacks = "; ".join(f"{name} lacks {', '.join(columns)}" for name, columns in missing.items())
    raise TaskError(
        f"{_label(row)}: found columns {', '.join(sorted(row)) or '(none)'}, wanted those of a known dataset: "
        f"nearest is {near} without {', '.join(missing[near])} ({lacks})"
    )


# --------------------------------------------------------------------------------------------- the datasets


def swebench(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """SWE-bench before v5: tests by pytest id, `test_patch` applied before they run.

    The image is swebench/sweb.eval.x86_64.<instance_id>. Ids that the dataset cut off (SWE-bench#290) are left out of
    PASS_TO_PASS. Raises TaskError where a test is not named as pytest does: its v5 row tells how to run it.
    """
    name, base, patch = _text(row, "instance_id"), _text(row, "base_commit"), _patch(row, "test_patch")
    image = f"swebench/sweb.eval.x86_64.{name}:latest".replace("__", "_1776_").lower()
    return _Maker(
        row,
        suite="swe-bench",
        split="heldout",
        environment=dockerfile(row) if dockerfile else _conda_dockerfile(image) + _CUT_HISTORY,
        fail_to_pass=_pytest_ids(row, "FAIL_TO_PASS"),
        pass_to_pass=_pytest_ids(row, "PASS_TO_PASS"),
        tests={
            "test.sh": _restore_script(base, patch) + "exec bash /tests/grade.sh\n",
            "grade.sh": _template("test.sh"),
            "test.patch": patch,
        },
        solution=_solution("fix.patch", _text(row, "patch"), "git apply --whitespace=nowarn"),
        protected=sorted(_patched_files(patch)),
        test_command="python -m pytest -q",
        source={"git": _git_url(row), "commit": base},
        instruction=_text(row, "problem_statement"),
    ).parts()


def swebench_v5(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """SWE-bench since v5: the row's `eval_script` runs the tests, `log_parser` says how to read its log."""
    if row["eval_type"] != "pass_and_fail":
        raise TaskError(
            f'{_label(row)}: eval_type: found {_shown(row["eval_type"])}, wanted "pass_and_fail": '
            "under the other a test that never ran counts as passed"
        )
    script = _text(row, "eval_script")
    for marker in (_START, _END):
        if marker not in script:
            raise TaskError(f'{_label(row)}: eval_script: wanted the marker "{marker}" around the test command')
    parser = _parser(row, row["log_parser"], "log_parser")
    base, test_patch = row.get("base_commit"), row.get("test_patch") or ""
    return _Maker(
        row,
        suite="swe-bench",
        split="heldout",
        environment=dockerfile(row) if dockerfile else _conda_dockerfile(_text(row, "image")) + _CUT_HISTORY,
        fail_to_pass=_ids(row, "FAIL_TO_PASS"),
        pass_to_pass=_ids(row, "PASS_TO_PASS"),
        # tox hands on no PYTEST_ADDOPTS, so pytest under it writes no report
        tests=_log_tests(_with_exit_code(script), parser, report=parser == "pytest" and "tox" not in script),
        solution=_solution("fix.patch", row["patch"], "git apply --whitespace=nowarn") if row.get("patch") else {},
        protected=sorted(_patched_files(test_patch)),
        test_command="python -m pytest -q" if parser == "pytest" else "",
        source={"git": _git_url(row), "commit": base} if base else None,
        instruction=_text(row, "problem_statement"),
    ).parts()


def swesmith(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """SWE-smith: `patch` is the bug, so the solution is its reverse; the bug is on the branch named as the row.

    Newer branches end in a commit that takes the failing tests away. They are in no column, so the task starts from the
    commit before it, as others do: the agent sees them, and grading puts them back.
    """
    name = _text(row, "instance_id")
    branch = shlex.quote(name)
    checkout = (
        f"RUN (git rev-parse --quiet --verify {branch} > /dev/null || git fetch --quiet origin {branch}:{branch}) \\\n"
        f" && git checkout --quiet --force {branch} \\\n"
        ' && if git log -1 --format=%s | grep -q "Remove F2P Tests"; then git checkout --quiet --force HEAD~1; fi\n'
    )
    image = _conda_dockerfile(_text(row, "image_name")) + checkout + _NEW_HISTORY
    fail_to_pass, pass_to_pass = _pytest_ids(row, "FAIL_TO_PASS"), _pytest_ids(row, "PASS_TO_PASS")
    return _Maker(
        row,
        suite="swe-smith",
        split="train",
        environment=dockerfile(row) if dockerfile else image,
        fail_to_pass=fail_to_pass,
        pass_to_pass=pass_to_pass,
        tests={"test.sh": _template("test.sh")},
        solution=_solution("bug.patch", _text(row, "patch"), "git apply --reverse --whitespace=nowarn"),
        protected=sorted({test.partition("::")[0] for test in (*fail_to_pass, *pass_to_pass)}),
        test_command="python -m pytest -q",
        source=None,
        instruction=_text(row, "problem_statement"),
    ).parts()


def r2egym(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """R2E-Gym: the image holds run_tests.sh and the hidden tests, `expected_output_json` the verdicts after the fix.

    Its reward asks for exactly that status map, so a test that was expected to fail and passes costs everything. Here
    the tests that are expected to pass are required, and no others. They are fail_to_pass where
    `execution_result_content` shows that they did not pass before the fix, and all of them where that column is
    missing. No column holds the fix as a patch, so the task has no solution.
    """
    expected = _table(row, "expected_output_json")
    after = {_r2e_name(test): status for test, status in expected.items()}
    passing = [test for test in after if test and after[test] == "PASSED"]
    before = _r2e_before(row)
    statement = _text(row, "problem_statement")
    issue = re.search(r"\[ISSUE\](.*)\[/ISSUE\]", statement, re.DOTALL)
    image = (
        f"FROM {_text(row, 'docker_image')}\nWORKDIR /testbed\n{_CUT_HISTORY}"
        "# what grades the work waits outside the repository: no search comes on it, though an agent that is root can\n"
        "RUN mv run_tests.sh /root/run_tests.sh && if [ -e /r2e_tests ]; then mv /r2e_tests /root/r2e_tests; "
        "else mv r2e_tests /root/r2e_tests; fi\n"
    )
    script = "ln -sfn /root/r2e_tests r2e_tests\n" + _marked("bash /root/run_tests.sh") + "rm -f r2e_tests\n"
    return _Maker(
        row,
        suite="r2e-gym",
        split="train",
        environment=dockerfile(row) if dockerfile else image,
        fail_to_pass=tuple(test for test in passing if before.get(test) != "PASSED"),
        pass_to_pass=tuple(test for test in passing if before.get(test) == "PASSED"),
        tests=_log_tests(script, "r2e", report=True),
        solution={},
        protected=["r2e_tests"],
        test_command="",
        source=None,
        instruction=issue[1].strip() + "\n" if issue else statement,
        name=f"{_text(row, 'repo_name')}-{_text(row, 'commit_hash')[:12]}",
    ).parts()


def swerebench(row: Row, *, dockerfile: DockerfileMaker | None = None) -> TaskParts:
    """SWE-rebench-V2: `install_config` holds the test commands and the name of the log's parser."""
    install = _table(row, "install_config")
    parser = _parser(row, install.get("log_parser"), "install_config.log_parser")
    commands = install.get("test_cmd")
    commands = [commands] if isinstance(commands, str) else commands
    if not commands or not all(isinstance(command, str) for command in commands):
        raise TaskError(
            f"{_label(row)}: install_config.test_cmd: found {_shown(commands)}, wanted one or more commands"
        )
    base, patch = _text(row, "base_commit"), _patch(row, "test_patch")
    workdir = "/" + _text(row, "repo").rpartition("/")[2]
    script = _restore_script(base, patch) + "set +e\n" + _marked("\n".join(["(", "set -e", *commands, ")"]))
    interface = row.get("interface")
    instruction = _text(row, "problem_statement")
    if interface:  # the hidden tests call these names
        instruction = f"{instruction.rstrip()}\n\n## Interface\n\n{str(interface).strip()}\n"
    image = f"FROM {_text(row, 'image_name')}\nWORKDIR {workdir}\n{_CUT_HISTORY}"
    return _Maker(
        row,
        suite="swe-rebench",
        split="train",
        environment=dockerfile(row) if dockerfile else image,
        fail_to_pass=_ids(row, "FAIL_TO_PASS"),
        pass_to_pass=_ids(row, "PASS_TO_PASS"),
        tests={**_log_tests(script, parser, report=parser == "pytest"), "test.patch": patch},
        solution=_solution("fix.patch", _text(row, "patch"), "git apply --whitespace=nowarn"),
        protected=sorted(_patched_files(patch)),
        test_command="; ".join(commands),
        source={"git": _git_url(row), "commit": base},
        instruction=instruction,
    ).parts()


# columns that tell the dataset and that its function reads; the most particular dataset first
_COLUMNS: dict[str, tuple[str, ...]] = {
    "swe-bench-v5": (
        "instance_id", "image", "repo", "problem_statement", "FAIL_TO_PASS", "PASS_TO_PASS", "log_parser", "eval_type",
        "eval_script",
    ),
    "swe-rebench": (
        "instance_id", "repo", "base_commit", "patch", "test_patch", "problem_statement", "image_name", "FAIL_TO_PASS",
        "PASS_TO_PASS", "install_config",
    ),
    "r2e-gym": ("docker_image", "repo_name", "commit_hash", "problem_statement", "expected_output_json"),
    "swe-bench": (
        "instance_id", "repo", "base_commit", "patch", "test_patch", "problem_statement", "FAIL_TO_PASS",
        "PASS_TO_PASS",
    ),
    "swe-smith": ("instance_id", "patch", "problem_statement", "image_name", "FAIL_TO_PASS", "PASS_TO_PASS"),
}  # fmt: skip
_MAKERS: dict[str, Callable[..., TaskParts]] = {
    "swe-bench-v5": swebench_v5,
    "swe-rebench": swerebench,
    "r2e-gym": r2egym,
    "swe-bench": swebench,
    "swe-smith": swesmith,
}


@dataclass(frozen=True, slots=True)
class _Maker:
    """What differs from dataset to dataset; `parts` adds what does not."""

    row: Row
    suite: str
    split: str
    environment: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    tests: Mapping[str, str]
    solution: Mapping[str, str]
    protected: Sequence[str]
    test_command: str
    source: Mapping[str, Any] | None
    instruction: str
    name: str = field(default="")

    def parts(self) -> TaskParts:
        if not self.fail_to_pass:
            raise TaskError(f"{_label(self.row)}: FAIL_TO_PASS: found none, wanted a test that tells a fix from no fix")
        name = re.sub(r"[^A-Za-z0-9._-]+|\.\.+", "-", self.name or _text(self.row, "instance_id")).strip(".-_")
        kept = ("instance_id", "repo", "repo_name", "version", "difficulty", "created_at", "language")
        gym: dict[str, Any] = {
            "suite": self.suite,
            "split": self.split,
            "kind": "bug_fix",
            "grading": "diff",
            "protected": list(self.protected),
            "test_command": self.test_command,
        }
        if self.source:
            gym["source"] = dict(self.source)
        config = TaskConfig.model_validate(
            {
                "task": {"name": f"{self.suite}/{name}"},
                "metadata": {
                    "category": "bug_fix",
                    **{key: self.row[key] for key in kept if isinstance(self.row.get(key), str | int)},
                    "agentgym": gym,
                },
                "verifier": {"timeout_sec": 1800.0},
                "agent": {"timeout_sec": 3600.0},
                "environment": {
                    "build_timeout_sec": 1800.0,
                    "cpus": 2,
                    "memory_mb": 4096,
                    "storage_mb": 10240,
                    "network_mode": "no-network",
                },
            }
        )
        files = {
            "environment/Dockerfile": self.environment,
            **{f"tests/{file}": text for file, text in self.tests.items()},
            **{f"solution/{file}": text for file, text in self.solution.items()},
        }
        contents = {file: text.encode() for file, text in files.items()}
        return TaskParts(config, self.instruction, contents, self.fail_to_pass, self.pass_to_pass)


# --------------------------------------------------------------------------------------------- their files


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text()


def _conda_dockerfile(image: str) -> str:
    return f"FROM {image}\nWORKDIR /testbed\nENV PATH={_CONDA}:$PATH\n"


def _restore_script(base: str, patch: str) -> str:
    """Test files as they were at `base`, then `patch` on them; whatever the agent made of them is gone."""
    files = _patched_files(patch)
    old = " ".join(shlex.quote(file) for file, is_new in sorted(files.items()) if not is_new)
    new = " ".join(shlex.quote(file) for file, is_new in sorted(files.items()) if is_new)
    git = "git -c safe.directory='*'"
    lines = [
        "#!/bin/bash",
        "# The dataset's tests over whatever became of them. A failure here is no verdict: no reward.",
        "set -e",
    ]
    lines += [f"{git} checkout --quiet {shlex.quote(base)} -- {old}"] if old else []
    lines += [f"rm -f -- {new}"] if new else []
    lines += [f"{git} apply --whitespace=nowarn /tests/test.patch"]
    return "\n".join(lines) + "\n"


def _log_tests(script: str, parser: str, *, report: bool) -> dict[str, str]:
    settings = json.dumps({"log_parser": parser, "report": report})
    return {"test.sh": _template("log.sh"), "eval.sh": script, "tests.json": settings}


def _marked(command: str) -> str:
    return f"echo '{_START}'\n{command}\nstatus=$?\necho '{_END}'\necho \"{_EXIT}: $status\"\n"


def _with_exit_code(script: str) -> str:
    """The script with the test command's own status written after the end marker, where it is not already."""
    if _EXIT in script:
        return script
    lines = script.rstrip("\n").split("\n")
    end = next(number for number, line in enumerate(lines) if _END in line)
    lines[end:end] = ["agentgym_status=$?"]
    lines[end + 2 : end + 2] = [f'echo "{_EXIT}: $agentgym_status"']
    return "\n".join(lines) + "\n"


def _solution(file: str, patch: str, apply: str) -> dict[str, str]:
    script = f"#!/bin/bash\nset -e\n{apply} /solution/{file}\n"
    return {file: patch if patch.endswith("\n") else patch + "\n", "solve.sh": script}


def _patched_files(patch: str) -> dict[str, bool]:
    """Files of a unified diff, each with whether the diff creates it."""
    files: dict[str, bool] = {}
    old = ""
    for line in patch.splitlines():
        if line.startswith("--- "):
            old = line[4:].partition("\t")[0].strip()
        elif line.startswith("+++ "):
            new = line[4:].partition("\t")[0].strip()
            path = old if new == "/dev/null" else new
            files[path.partition("/")[2] if path.startswith(("a/", "b/")) else path] = old == "/dev/null"
    return files


# ----------------------------------------------------------------------------------------------- their columns


def _label(row: Row) -> str:
    return f"row {row.get('instance_id') or row.get('commit_hash') or '(no instance_id)'}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TaskError(f"{place}: not JSON: {error}") from None


def _text(row: Row, column: str) -> str:
    value = row[column]
    if not isinstance(value, str) or not value.strip():
        raise TaskError(f"{_label(row)}: {column}: found {_shown(value)}, wanted text")
    return value


def _patch(row: Row, column: str) -> str:
    patch = _text(row, column)
    if not _patched_files(patch):
        raise TaskError(f"{_label(row)}: {column}: found {_shown(patch)}, wanted a unified diff")
    return patch if patch.endswith("\n") else patch + "\n"


def _table(row: Row, column: str) -> dict[str, Any]:
    value = row[column]
    if isinstance(value, str):
        value = _json(value, f"{_label(row)}: {column}")
    if not isinstance(value, dict):
        raise TaskError(f"{_label(row)}: {column}: found {_shown(value)}, wanted an object, or its JSON")
    return value


def _ids(row: Row, column: str) -> tuple[str, ...]:
    """A list of test ids, or its JSON; pytest's progress marks, which one parser took for tests, are left out."""
    value = row[column]
    if isinstance(value, str):
        value = _json(value, f"{_label(row)}: {column}")
    if not isinstance(value, list) or not all(isinstance(test, str) and not _CONTROL.search(test) for test in value):
        raise TaskError(f"{_label(row)}: {column}: found {_shown(value)}, wanted a list of test ids, or its JSON")
    return tuple(dict.fromkeys(test for test in value if not _PROGRESS.fullmatch(test)))


def _pytest_ids(row: Row, column: str) -> tuple[str, ...]:
    ids = _ids(row, column)
    for test in ids:
        if not _PYTEST_ID.fullmatch(test):
            raise TaskError(
                f"{_label(row)}: {column}: found {_shown(test)}, wanted an id as path.py::test; "
                "for other runners use the row of SWE-bench v5, which has an eval_script"
            )
    cut = [test for test in ids if test.count("[") > test.count("]")]
    if cut and column == "FAIL_TO_PASS":
        raise TaskError(
            f"{_label(row)}: {column}: found {_shown(cut[0])}, which the dataset cut off, wanted a whole id; "
            "use the row of SWE-bench v5, which has an eval_script"
        )
    if cut:
        logger.warning("%s: %s: %d ids that the dataset cut off are left out", _label(row), column, len(cut))
    return tuple(test for test in ids if test not in cut)


def _parser(row: Row, name: Any, column: str) -> str:
    if name not in _PARSERS:
        known = ", ".join(sorted(_PARSERS))
        raise TaskError(f"{_label(row)}: {column}: found {_shown(name)}, wanted one that is known here: {known}")
    return _PARSERS[name]


def _git_url(row: Row) -> str:
    return f"https://github.com/{_text(row, 'repo')}"


def _r2e_name(test: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", test).split(" - ")[0]


def _r2e_before(row: Row) -> dict[str, str]:
    """Verdicts before the fix; empty where the row does not tell."""
    if not row.get("execution_result_content"):
        return {}
    log = _table(row, "execution_result_content").get("old_commit_res_stdout") or ""
    return dict(_r2e_lines(log.partition("short test summary info")[2]))


def _r2e_lines(summary: str) -> Iterator[tuple[str, str]]:
    for line in summary.splitlines():
        match = re.match(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL) (.+)", re.sub(r"\x1b\[[0-9;]*m", "", line))
        if match:
            yield _r2e_name(".".join(match[2].split("::")[1:])), match[1]
