from __future__ import annotations

import gzip
import json
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from agentgym.protocols import StopReason
from agentgym.store import TrajectoryStore, encode
from agentgym.trajectory import Outcome
from tests.trajectories import make_trajectory

WRITER = """
import sys
from pathlib import Path
from agentgym.store import TrajectoryStore, encode
from tests.trajectories import make_trajectory
store = TrajectoryStore(Path(sys.argv[1]))
for n in range(int(sys.argv[3]), int(sys.argv[3]) + 10000):
    store.append(make_trajectory("x" * int(sys.argv[2]), attempt=n))
    print(n, flush=True)
"""


@pytest.fixture(params=["a.jsonl", "a.jsonl.gz"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TrajectoryStore:
    return TrajectoryStore(tmp_path / "runs" / request.param)


def is_gzipped(store: TrajectoryStore) -> bool:
    return store.path.suffix == ".gz"


def put(store: TrajectoryStore, line: str) -> None:
    """A whole line of anything, as another program might have left it."""
    with store.path.open("ab") as file:
        data = line.encode()
        file.write(zlib.compress(data, wbits=31) if is_gzipped(store) else data)


def attempts(store: TrajectoryStore) -> list[int]:
    return [trajectory.attempt for trajectory in store]


def start_writer(path: Path, size: int, first: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(path), str(size), str(first)]
    root = Path(__file__).parent.parent
    return subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, text=True)


def test_what_was_appended_is_read_in_order(store: TrajectoryStore) -> None:
    assert list(store) == []
    trajectories = [make_trajectory("ls", "submit", attempt=n) for n in range(3)]
    for trajectory in trajectories:
        store.append(trajectory)
    assert list(store) == trajectories
    content = store.path.read_bytes()
    lines = gzip.decompress(content) if is_gzipped(store) else content
    assert len(lines.splitlines()) == 3, "zcat reads it too"


def test_gzip_is_worth_it(tmp_path: Path) -> None:
    plain, gzipped = TrajectoryStore(tmp_path / "a.jsonl"), TrajectoryStore(tmp_path / "a.jsonl.gz")
    for store in (plain, gzipped):
        store.append(make_trajectory(*(f"grep -n x{n} src/*.py" for n in range(100))))
    assert gzipped.path.stat().st_size < plain.path.stat().st_size / 5


def test_reading_is_lazy(store: TrajectoryStore) -> None:
    store.append(make_trajectory())
    put(store, '{"format_version": 99}\n')
    trajectories = iter(store)
    assert next(trajectories).attempt == 0
    with pytest.raises(UsageError):
        next(trajectories)


def test_a_reader_sees_what_was_there_when_it_began(store: TrajectoryStore) -> None:
    store.append(make_trajectory(attempt=0))
    trajectories = iter(store)
    next(trajectories)
    store.append(make_trajectory(attempt=1))
    assert list(trajectories) == []
    assert attempts(store) == [0, 1]


def test_text_that_is_no_unicode_and_numbers_that_are_no_json_survive(store: TrajectoryStore) -> None:
    trajectory = make_trajectory("half \ud83d pair", "line\u2028separator", "nul \0", instruction="ünï\r\ncode")
    arguments = trajectory.turns[0].steps[0].arguments
    assert isinstance(arguments, dict)
    arguments["limit"] = float("nan")
    store.append(trajectory)
    [again] = store
    assert [turn.message["content"] for turn in again.turns] == ["half \ud83d pair", "line\u2028separator", "nul \0"]
    assert again.messages[1]["content"] == "ünï\r\ncode"
    assert again.turns[0].steps[0].arguments == {"command": "half \ud83d pair", "limit": None}
    content = store.path.read_bytes()
    json.loads(gzip.decompress(content) if is_gzipped(store) else content, parse_constant=pytest.fail)


def test_a_line_torn_anywhere_is_skipped_and_appending_goes_on(
    store: TrajectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.append(make_trajectory(attempt=0))
    whole = store.path.read_bytes()
    for length in [1, 2, len(whole) // 2, len(whole) - 2]:
        store.path.write_bytes(whole + whole[:length])
        caplog.clear()
        assert attempts(store) == [0]
        assert f"{store.path}:2: skipped a torn line, {length} bytes" in caplog.text
        store.append(make_trajectory(attempt=1))
        store.append(make_trajectory(attempt=2))
        assert attempts(store) == [0, 1, 2]
        assert store.path.read_bytes().startswith(whole + whole[:length]), "the torn line is kept"


def test_a_compressed_line_torn_at_any_byte_is_skipped(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path / "a.jsonl.gz")
    store.append(make_trajectory(attempt=0))
    whole = store.path.read_bytes()
    for length in range(1, len(whole)):
        store.path.write_bytes(whole[:length] + whole + whole[:length] + whole[:length] + whole)
        assert attempts(store) == [0, 0], length


def test_a_file_that_gzip_made_is_refused(tmp_path: Path) -> None:
    """Its lines cannot be read one at a time."""
    plain, store = TrajectoryStore(tmp_path / "a.jsonl"), TrajectoryStore(tmp_path / "a.jsonl.gz")
    plain.append(make_trajectory(attempt=0))
    plain.append(make_trajectory(attempt=1))
    store.path.write_bytes(gzip.compress(plain.path.read_bytes()))
    with pytest.raises(UsageError, match="several lines in one gzip member, wanted one in each; gunzip it"):
        list(store)


def test_a_last_line_that_lacks_only_its_end_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TrajectoryStore(tmp_path / "a.jsonl")
    store.append(make_trajectory(attempt=0))
    store.path.write_bytes(store.path.read_bytes().removesuffix(b"\n"))
    assert attempts(store) == [0]
    store.append(make_trajectory(attempt=1))
    assert attempts(store) == [0, 1]
    assert not caplog.records


def test_bytes_that_a_power_cut_left_are_skipped(store: TrajectoryStore) -> None:
    store.append(make_trajectory(attempt=0))
    with store.path.open("ab") as file:
        file.write(b"\0" * 4096 + b"\n\xff\xfe{\n\n")
    store.append(make_trajectory(attempt=1))
    assert attempts(store) == [0, 1]


def test_nothing_that_was_acknowledged_is_lost_when_writers_are_killed(
    store: TrajectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(0)
    acknowledged: list[int] = []
    for round_ in range(4):
        # megabytes a line: the kernel may end such a write in its midst
        writer = start_writer(store.path, size=dice.choice([100, 2_000_000, 8_000_000]), first=round_ * 10000)
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(dice.randint(1, 3))]
        threading.Event().wait(dice.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        rest, _ = writer.communicate()
        acknowledged += [int(line) for line in rest.split()]
    with caplog.at_level(logging.ERROR):
        found = attempts(store)
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
    store.append(make_trajectory(attempt=-1))
    assert attempts(store) == [*found, -1]


def test_threads_and_processes_share_a_store(store: TrajectoryStore) -> None:
    writers = [start_writer(store.path, size=300_000, first=n * 10000) for n in (1, 2)]

    def write(first: int) -> None:
        for attempt in range(first, first + 10):
            store.append(make_trajectory(attempt=attempt))

    threads = [threading.Thread(target=write, args=(10 * n,)) for n in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for writer in writers:
        writer.kill()
        writer.communicate()
    found = attempts(store)
    assert sorted(n for n in found if n < 10000) == list(range(40))
    assert {10000, 20000} <= set(found)


def test_a_full_disk_leaves_the_store_as_it_was(store: TrajectoryStore) -> None:
    store.append(make_trajectory(attempt=0))
    before = store.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 4096, hard))
    try:
        with pytest.raises(OSError, match="large"):
            store.append(make_trajectory(random.Random(0).randbytes(50_000).hex(), attempt=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert store.path.read_bytes() == before


def test_done_is_what_needs_no_rollout_any_more(store: TrajectoryStore) -> None:
    store.append(make_trajectory(attempt=0))
    store.append(make_trajectory(attempt=1, stop_reason=StopReason.SANDBOX_LOST, outcome=None))
    store.append(make_trajectory(attempt=2, outcome=Outcome(reward=None)))
    store.append(make_trajectory(attempt=3, stop_reason=StopReason.TIMEOUT, outcome=Outcome(reward=0.0)))
    keys = [("c0ffee", "bash", "m", n) for n in range(5)]
    assert store.done(keys) == {keys[0], keys[3]}
    assert store.done([("c0ffee", "bash", "other", 0)]) == set()
    store.append(make_trajectory(attempt=1))
    assert store.done(keys) == {keys[0], keys[1], keys[3]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"format_version": 3}', "found format_version 3, wanted 2; read it with the agentgym that wrote it"),
        ('{"a": 1}', "found format_version None, wanted 2; this is no trajectory file"),
        ("[]", "this is no trajectory file"),
        ('{"format_version": 1, "id": "a"}', "not a trajectory: task: Field required"),
    ],
)
def test_other_formats_are_refused_by_file_and_line(store: TrajectoryStore, line: str, said: str) -> None:
    store.append(make_trajectory())
    put(store, line + "\n")
    with pytest.raises(UsageError) as caught:
        list(store)
    assert str(caught.value).startswith(f"{store.path}:2: ")
    assert said in str(caught.value)


def test_a_line_of_the_version_before_is_read_as_one_that_nobody_scored(store: TrajectoryStore) -> None:
    old = json.loads(encode(make_trajectory("ls")))
    assert old["format_version"] == 2
    for key in ("checklist", "compliance", "judging"):
        del old["outcome"][key]
    store.append(make_trajectory("pwd"))
    put(store, json.dumps({**old, "format_version": 1}) + "\n")
    assert list(store) == [make_trajectory("pwd"), make_trajectory("ls")]


def test_text_that_is_no_unicode_survives_as_a_key_too(tmp_path: Path) -> None:
    step = make_trajectory("ls").turns[0].steps[0].model_copy(update={"arguments": {"env": {"\ud800": "\udfff"}}})
    turn = make_trajectory("ls").turns[0].model_copy(update={"steps": [step]})
    store = TrajectoryStore(tmp_path / "a.jsonl")
    store.append(make_trajectory("ls", turns=[turn]))
    assert next(iter(store)).turns == [turn]
