"""What a judge is shown: every conversation, each passage once, cuts told and counted."""

from __future__ import annotations

from pathlib import Path

from agentgym.scoring.judge.transcript import PASSAGE_CHARS, transcript
from agentgym.store import TrajectoryStore
from tests.trajectories import make_trajectory

GOLDEN = Path(__file__).parents[2] / "golden" / "agents"


def test_all_conversations_are_in_it_and_nothing_twice() -> None:
    [record] = TrajectoryStore(GOLDEN / "kilo.jsonl")
    shown = transcript(record)
    titles = [passage.title for passage in shown.passages]
    assert titles[:4] == ["System prompt", "User", "Agent calls bash, turn 1", "Result"]
    assert titles[-1] == "What the files are changed by at the end"
    beside = [title for title in titles if title.endswith(", in conversation 1 beside the main one")]
    assert beside[0].startswith("System prompt")  # a title was asked for
    assert titles.count("Agent calls edit, turn 4") == 1
    assert shown.cut_chars == 0


def test_a_quote_is_found_where_it_was_said() -> None:
    [record] = TrajectoryStore(GOLDEN / "claude-code.jsonl")
    shown = transcript(record)
    edit = shown.find('new_string: ("%d.%06d" % (seconds, usecs))')
    assert edit is not None
    assert (edit.title, edit.turn, edit.call) == ("Agent calls Edit, turn 3", 2, 2)
    result = shown.find("has been updated successfully")
    assert result is not None
    assert (result.title, result.turn, result.tool_call) == ("Result", 2, edit.tool_call)


def test_what_a_command_printed_is_evidence_whoever_tells_it() -> None:
    shown = transcript(make_trajectory("```bash\nls\n```", observations=("a_file.txt",)))
    found = shown.find("a_file.txt")
    assert found is not None
    assert (found.title, found.turn) == ("Result", 0)


def test_what_the_agent_was_told_is_no_evidence() -> None:
    shown = transcript(make_trajectory("I obey.", instruction="Write no emoji at all."))
    assert "Write no emoji at all." in shown.text()
    assert shown.find("Write no emoji at all.") is None


def test_a_long_passage_is_cut_in_its_middle() -> None:
    shown = transcript(make_trajectory("a" * 10_000 + "b" * 10_000))
    assert shown.cut_chars == 20_000 - PASSAGE_CHARS
    assert f"[{20_000 - PASSAGE_CHARS} characters are left out here]" in shown.text()


def test_a_long_record_keeps_its_beginning_and_its_end() -> None:
    record = make_trajectory(*(f"reply {n} " + "x" * 500 for n in range(200)))
    shown = transcript(record, max_chars=20_000)
    assert "reply 0 " in shown.text()
    assert "reply 199 " in shown.text()
    assert "reply 100 " not in shown.text()
    [gap] = [passage for passage in shown.passages if passage.title == "Cut"]
    assert "are left out here" in gap.text
    whole = sum(len(passage.text) for passage in transcript(record).passages)
    assert shown.cut_chars == whole - sum(len(passage.text) for passage in shown.passages if passage is not gap)
    assert len(shown.text()) < 25_000
