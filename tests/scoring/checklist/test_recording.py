"""What checks look at, of what real scaffolds leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.scoring.checklist import record_of
from agentgym.scoring.checklist.record import Record
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from tests.scoring.checklist.sessions import instructions, patch_of, record
from tests.trajectories import make_trajectory
from tests.views.agents import Recording, saying, system, user, worked

AGENTS = Path(__file__).parents[2] / "golden" / "agents"
LOOK = "grep -n usecs /testbed/src/isodate/isostrf.py"
FILE = "src/isodate/isostrf.py"


def recorded(agent: str) -> Trajectory:
    (trajectory,) = TrajectoryStore(AGENTS / f"{agent}.jsonl")
    return trajectory


def done(found: Record, *, main: bool = True) -> list[str]:
    return [
        f"{event.action} {event.path or event.text}".strip() for event in found.events if event.reply.main or not main
    ]


@pytest.mark.parametrize(
    ("agent", "searched"),
    [("claude-code", []), ("kilo", ["search src"]), ("droid", ["search src"])],
)
def test_the_three_agents_did_the_same(agent: str, searched: list[str]) -> None:
    found = record_of(recorded(agent))
    assert done(found) == [f"shell {LOOK}", f"search {FILE}", *searched, f"read {FILE}", f"edit {FILE}"]
    assert [reply.text for reply in found.said] == ["Small fractions are padded to six digits now."]
    assert [file.path for file in found.files or ()] == [FILE]
    assert found.events[-1].text == '("%d.%06d" % (seconds, usecs))'
    assert [reply.turn for reply in found.replies if reply.main] == list(range(len(recorded(agent).turns)))
    assert {reply.offered[0]["type"] for reply in found.replies if reply.main} == {"function"}


def test_titles_and_sub_agents_are_in_it_beside_the_main_conversation() -> None:
    trajectory = make_trajectory(calls=worked(), turns=[], messages=[])
    found = record_of(trajectory, instructions=["Fix it."])
    assert [(reply.call, reply.main) for reply in found.replies if not reply.main] == [
        (0, False),
        (3, False),
        (4, False),
    ]
    assert "search parse" not in done(found)
    assert "shell grep -rn parse" in done(found, main=False)
    assert "tests pytest" in done(found)
    assert [reply.text for reply in found.said][:2] == ["Look.", "So far: the parser is in parse.py."]


def test_compaction_begins_a_new_stretch() -> None:
    found = record_of(make_trajectory(calls=worked(), turns=[], messages=[]))
    assert [reply.stretch for reply in found.replies if reply.main] == [0, 0, 0, 0, 1, 1, 1]


def test_a_summary_asked_of_the_beginning_alone_is_no_compaction() -> None:
    said = ("Hm.", "So far: none.", "Well.", "So far: well.", "Yes.")
    agent = Recording.of(*map(saying, said))
    for opening in ("Fix it.", "Fix it. So far: none."):
        asked = [system(), user(opening)]
        agent.ask(asked)
        agent.ask([*asked, user("Sum up.")])
    agent.ask([system(), user("Fix it. So far: well.")])
    trajectory = make_trajectory(*said, calls=agent.calls, messages=[], scaffold="plan")
    for number in (1, 3):
        [step] = trajectory.turns[number].steps
        trajectory.turns[number].steps[:] = [step.model_copy(update={"name": "compact"})]
    found = record_of(trajectory)
    assert [(reply.stretch, reply.main) for reply in found.replies] == [
        (0, True),
        (0, False),
        (1, True),
        (1, False),
        (2, True),
    ]


def test_the_users_turns() -> None:
    session = """
user | Fix the parser.
do   | Read {"file_path": "a.py"}
say  | Done.
user | Now   the printer.
do   | Read {"file_path": "b.py"}
sub  | do | Read {"file_path": "c.py"}
say  | Done.
user | Thanks, now the linter.
say  | Done.
"""
    asked = [*instructions(session)[:1], "Now the printer.\n", *instructions(session)[2:]]
    found = record_of(record(session), instructions=asked)
    assert [reply.query for reply in found.replies] == [0, 0, 1, 1, 1, 2]
    assert [len(found.query(number).events) for number in found.queries] == [1, 2, 0]


def test_a_white_box_scaffolds_next_instruction_comes_with_a_tool_result() -> None:
    session = """
user | Fix the parser.
do   | submit {"message": "Parsed."}
got  | Fix the printer.
do   | submit {"message": "Printed."}
"""
    found = record_of(record(session, scaffold="tools"), instructions=["Fix the parser.", "Fix the printer."])
    assert [(reply.query, reply.text) for reply in found.replies] == [(0, "Parsed."), (1, "Printed.")]


def test_an_instruction_that_stands_in_the_one_before_it() -> None:
    session = """
user | Look at it, then: Fix it.
say  | Looked.
user | Fix it.
say  | Fixed.
"""
    found = record_of(record(session), instructions=instructions(session))
    assert [reply.query for reply in found.replies] == [0, 1]
    other = record_of(record(session), instructions=["(shown as a picture)", "Fix it."])
    assert [reply.query for reply in other.replies] == [0, 1]


def test_commands_that_are_written_as_text_are_no_text() -> None:
    trajectory = make_trajectory("I look.\n\n```bash\nls 🎉\n```")
    (reply,) = record_of(trajectory).replies
    assert reply.text == "I look."
    assert [use.name for use in reply.uses] == ["bash"]


def test_the_work_directory_is_found_in_a_prompt_or_by_what_was_changed() -> None:
    session = """
user | Fix it.
do   | Edit {"file_path": "/work/app/src/a.py", "old_string": "1", "new_string": "2"}
do   | Write {"file_path": "/tmp/src/a.py", "content": ""}
do   | Read {"file_path": "./src/../README.md"}
"""
    paths = ["src/a.py", "/tmp/src/a.py", "README.md"]
    by_patch = record_of(record(session, patch=patch_of("*** src/a.py\n+2")))
    assert [event.path for event in by_patch.events] == paths
    by_prompt = record_of(record(session, prompt="Environment\n - Primary working directory: /work/app\n"))
    assert [event.path for event in by_prompt.events] == paths
    stated = record_of(record(session), workdir="/work/app")
    assert [event.path for event in stated.events] == paths


def test_a_shell_that_lives_on_stays_where_it_went() -> None:
    session = """
user | Fix it.
do   | Bash {"command": "cd /app/src && ls"}
sub  | do | Bash {"command": "cat README.md"}
do   | Bash {"command": "sed -i s/a/b/ a.py"}
do   | Read {"file_path": "a.py"}
"""
    paths = {
        name: [event.path for event in record_of(record(session, scaffold=name), workdir="/app").events if event.path]
        for name in ("claude-code", "kilo")
    }
    assert paths == {
        "claude-code": ["README.md", "src/a.py", "a.py"],
        "kilo": ["README.md", "a.py", "a.py"],
    }


def test_a_shell_may_be_started_in_another_folder() -> None:
    session = """
user | Fix it.
do   | bash {"command": "cat a.py", "workdir": "/app/src", "description": "Read it"}
do   | bash {"command": "cat b.py", "workdir": "docs", "description": "Read it"}
do   | bash {"command": "cat c.py", "description": "Read it"}
"""
    found = record_of(record(session, scaffold="kilo"), workdir="/app")
    assert [event.path for event in found.events if event.path] == ["src/a.py", "docs/b.py", "c.py"]


def test_a_folder_that_is_read_is_listed() -> None:
    session = """
user | Look at it.
do   | read {"filePath": "/app/src"}
got  | <path>/app/src</path>
  <type>directory</type>
  <entries>
  a.py
  </entries>
do   | read {"filePath": "/app/src/a.py"}
got  | <path>/app/src/a.py</path>
  <type>file</type>
  <content>1: <path>/app</path>
  2: <type>directory</type></content>
"""
    assert done(record_of(record(session, scaffold="kilo"), workdir="/app")) == ["list src", "read src/a.py"]


def test_tools_that_list_and_search_say_of_what_in_words_of_their_own() -> None:
    session = """
user | Look at it.
do   | LS {"directory_path": "/app/src"}
do   | Glob {"patterns": "*.txt", "folder": "/app/secrets"}
do   | Grep {"pattern": "x", "path": "/app/docs"}
"""
    found = record_of(record(session, scaffold="droid"), workdir="/app")
    assert done(found) == ["list src", "search secrets", "search docs"]


def test_reminders_are_told_from_what_the_user_says() -> None:
    found = record_of(record("user | Fix it.\nsay | Done.", reminder="Be brief."))
    assert found.reminders == ("Be brief.",)
    assert found.asked == ("Fix it.",)
    shown = record("user | Fix it.\nsay | Done.", reminder="The project says:\nKeep the changelog.\nThat is all.")
    assert record_of(shown, given={"AGENTS.md": "Keep the changelog.\n"}).reminders == (
        "The project says:\n \nThat is all.",
    )


def test_arguments_that_are_no_object_do_nothing() -> None:
    found = record_of(record('user | Fix it.\ndo | Bash {"command": \nsay | Done.'))
    assert [(event.action, event.path, event.text) for event in found.events] == [("shell", "", "")]


def test_files_that_the_task_laid_there_are_not_the_agents_doing() -> None:
    given = {"AGENTS.md": "Be brief.\nBe kind.\n"}
    same = record_of(
        record("user | Fix it.\nsay | Done.", patch=patch_of("+++ AGENTS.md\n+Be brief.\n+Be kind.")), given=given
    )
    assert same.files == ()
    more = patch_of("+++ AGENTS.md\n+Be brief.\n+Be quick.\n+Be kind.")
    (file,) = record_of(record("user | Fix it.\nsay | Done.", patch=more), given=given).files or ()
    assert (file.kind, [(line.number, line.text) for line in file.added]) == ("modified", [(2, "Be quick.")])
