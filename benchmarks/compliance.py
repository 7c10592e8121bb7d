"""What it costs to score recorded trajectories by program, as many as OctoBench has tasks.

The trajectories are the recordings of tests/golden/compliance, made as long as sessions of real models are: more calls,
and tool results of several thousand characters. They are read from a file and scored one by one, in one process.
"""

from __future__ import annotations

import itertools
import resource
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from agentgym.call import Call
from agentgym.protocols import Message
from agentgym.scoring.checklist import check, read_checklist
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from agentgym.views.conversation import conversation
from benchmarks.report import arguments, lower, publish

COMPLIANCE = Path(__file__).parents[1] / "tests" / "golden" / "compliance"
N_TRAJECTORIES = 217
N_CALLS = 40
RESULT_CHARS = 4000
"""Of a tool's result."""


def longer(trajectory: Trajectory, n_calls: int, name: str) -> Trajectory:
    """The same session with more calls at its end, which repeat what was done before its last reply."""
    calls = list(trajectory.calls)
    end = len(calls) - 1
    n_said = len(conversation(calls, end))
    replies = [reply for call in calls[:-1] if (reply := call.reply) is not None and reply.get("tool_calls")]
    for number, reply in zip(range(len(calls), n_calls), itertools.cycle(replies), strict=False):
        before = calls[-1].reply
        assert before is not None
        results: list[Message] = [
            {
                "role": "tool",
                "content": f"{number} ".ljust(RESULT_CHARS, "x = 1\n"[number % 5]),
                "tool_call_id": call["id"],
            }
            for call in before.get("tool_calls", ())
        ]
        new = results or [{"role": "user", "content": "Go on."}]
        at = trajectory.started_at
        calls.append(Call(parent=number - 1, drift="clean", n_kept=n_said, messages=new, reply=reply, started_at=at))
        n_said += len(new) + 1
    return trajectory.model_copy(update={"id": name, "calls": calls})


def recordings(n: int) -> Iterator[Trajectory]:
    recorded = list(TrajectoryStore(COMPLIANCE / "trajectories.jsonl"))
    for number, trajectory in zip(range(n), itertools.cycle(recorded), strict=False):
        yield longer(trajectory, N_CALLS, f"{trajectory.id}-{number}")


def main() -> None:
    options = arguments("compliance")
    n = 40 if options.quick else N_TRAJECTORIES
    checklist = read_checklist(COMPLIANCE / "task")
    with tempfile.TemporaryDirectory() as folder:
        store = TrajectoryStore(Path(folder) / "run.jsonl")
        for trajectory in recordings(n):
            store.append(trajectory)
        size_mb = store.path.stat().st_size / 1e6
        n_verdicts, checking_s, early_mb = 0, 0.0, 0.0
        began = time.perf_counter()
        for number, trajectory in enumerate(store):
            started = time.perf_counter()
            n_verdicts += len(check(checklist, trajectory))
            checking_s += time.perf_counter() - started
            if number == n // 5:  # every recording was seen by then
                early_mb = _peak_mb()
        took_s = time.perf_counter() - began
        grown_mb = _peak_mb() - early_mb
    what = f"{n} trajectories of {N_CALLS} calls, {len(checklist)} items each"
    rows = [
        lower(
            f"score {what}", took_s, "s", bound=f"{size_mb:.0f} MB of JSON to read", at_most=10.0 * n / N_TRAJECTORIES
        ),
        lower("of that, in the checks", checking_s, "s", bound=f"{n_verdicts} verdicts"),
        lower(
            "peak memory, grown after the first fifth", grown_mb, "MB", bound=f"{early_mb:.0f} MB then", at_most=16.0
        ),
    ]
    publish("compliance", rows, {"pydantic": version("pydantic"), "pathspec": version("pathspec")}, options.json)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
