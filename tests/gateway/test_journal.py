"""The journal: whole lines, whatever happens to its writer."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agentgym.gateway import Journal

WRITER = """
import sys
from pathlib import Path
from agentgym.gateway import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    journal.write({"n": n, "text": "x" * 5000})
    print(n, flush=True)
    n += 1
"""


def read(path: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("trajectories", "journal"), [("a.jsonl", "a.calls.jsonl"), ("a.jsonl.gz", "a.calls.jsonl"), ("a", "a.calls.jsonl")]
)
def test_it_lies_beside_the_trajectories(trajectories: str, journal: str) -> None:
    assert Journal.beside(Path("runs") / trajectories) == Path("runs") / journal


def test_no_line_no_file(tmp_path: Path) -> None:
    Journal(tmp_path / "new" / "a.calls.jsonl").close()
    assert not (tmp_path / "new").exists()


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.calls.jsonl"
    with closing(Journal(path)) as journal, ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: journal.write({"n": n, "text": "x" * 10_000}), range(400)))
    assert sorted(line["n"] for line in read(path)) == list(range(400))


def test_a_torn_line_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.calls.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2, "te')
    with closing(Journal(path)) as journal:
        journal.write({"n": 3})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2, "te\n{"n": 3}\n'


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.calls.jsonl"
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:50])

    with closing(Journal(path)) as journal:
        journal.write({"n": 1})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space"):
                journal.write({"n": 2, "text": "x" * 100})
        journal.write({"n": 3})
    assert [line["n"] for line in read(path)] == [1, 3]


@pytest.mark.parametrize("after", range(0, 50, 10))
def test_what_a_killed_writer_was_told_is_written_is_there(tmp_path: Path, after: int) -> None:
    path = tmp_path / "a.calls.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(after + 1):
        told = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    told = max([told, *map(int, writer.stdout.read().split())])
    writer.stdout.close()
    whole = [line for line in path.read_bytes().split(b"\n") if line.endswith(b'"}')]
    assert [json.loads(line)["n"] for line in whole][: told + 1] == list(range(told + 1))
