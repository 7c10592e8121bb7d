from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from agentgym.models import ScriptedModel
from agentgym.protocols import Message, Reply, StopReason, ToolCall
from scaffolds import BashScaffold
from scaffolds.bash import FormatError, read_action
from tests.scaffolds.fakes import EpisodeOver, FakeEpisode

MakeEpisode = Callable[..., FakeEpisode]


def run(episode: Any, *replies: str) -> None:
    BashScaffold().run(episode, ScriptedModel(replies))


def block(command: str) -> str:
    return f"I do this.\n\n```bash\n{command}\n```"


def content(message: Message) -> str:
    assert message["content"] is not None
    return message["content"]


def test_it_works_until_it_submits(make_episode: MakeEpisode) -> None:
    episode = make_episode()
    run(episode, block("mkdir src && cd src && X=1"), block("pwd; echo $X > x.txt; cat x.txt"), block("submit"))
    assert episode.stop_reason == StopReason.SUBMITTED
    assert Path(episode.workdir, "src", "x.txt").read_text() == "1\n"
    assert [action.name for action in episode.actions if isinstance(action, ToolCall)] == ["bash", "bash", "submit"]
    prompt = episode.prompts[-1]
    assert [message["role"] for message in prompt] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert content(prompt[-1]) == f"{episode.workdir}/src\n1"


def test_the_prompt_holds_the_instruction_as_it_is_and_the_folder(make_episode: MakeEpisode) -> None:
    episode = make_episode()
    run(episode, block("submit"))
    [(system, user)] = episode.prompts
    assert "Fix $it, ${now}." in content(user)
    assert episode.workdir in content(user)
    assert "```bash\nsubmit\n```" in content(user)
    assert "```bash" in content(system)
    assert "$" not in content(system) + content(user).replace("Fix $it, ${now}.", "")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("```bash\nls\n```", "ls"),
        ("a\n```sh\nls -l\n```\nb", "ls -l"),
        ("Like this:\n```python\nx = 1\n```\nso:\n```bash\npython3 a.py\nls\n```", "python3 a.py\nls"),
        ("````bash\ncat > R.md <<'E'\n```bash\nmake\n```\nE\n````", "cat > R.md <<'E'\n```bash\nmake\n```\nE"),
        ("<think>maybe\n```bash\nrm -rf .\n```\n</think>\n```bash\nls\n```", "ls"),
        ("```bash\n\n  echo submit\n\n```", "echo submit"),
        ("```bash\nsubmit  # now\n```", "submit  # now"),
    ],
)
def test_the_one_block_is_the_command(text: str, command: str) -> None:
    assert read_action(Reply({"role": "assistant", "content": text})) == ToolCall("bash", {"command": command})


@pytest.mark.parametrize("text", ["```bash\nsubmit\n```", "Done.\n```sh\n  submit\n\n```\n"])
def test_the_one_word_submits(text: str) -> None:
    assert read_action(Reply({"role": "assistant", "content": text})) == ToolCall("submit")


@pytest.mark.parametrize(
    ("text", "finish_reason", "said"),
    [
        ("I am done.", "stop", "no bash block"),
        (None, "stop", "no bash block"),
        ("```python\n1\n```", "stop", "no bash block"),
        ("`ls`", "stop", "no bash block"),
        ("```bash\nls\n```\n```bash\npwd\n```", "stop", "had 2 bash blocks"),
        ("```bash\n \n```", "stop", "was empty"),
        ("```bash\ncat > a <<'E'\nlong", "length", "cut off at the length limit"),
    ],
)
def test_anything_else_is_told_to_the_model(
    text: str | None, finish_reason: Literal["stop", "length"], said: str
) -> None:
    with pytest.raises(FormatError, match=said):
        read_action(Reply({"role": "assistant", "content": text}, finish_reason))


def test_a_malformed_reply_is_forgiven_twice(make_episode: MakeEpisode) -> None:
    episode = make_episode()
    run(episode, "hm", "hm", block("ls"), "hm", "hm", block("submit"))
    assert episode.stop_reason == StopReason.SUBMITTED
    error = content(episode.prompts[1][-1])
    assert error.startswith("Nothing was run. Your reply had no bash block")
    assert "```bash" in error
    assert [message["role"] for message in episode.prompts[1]] == ["system", "user", "assistant", "user"]


def test_the_third_malformed_reply_in_a_row_ends_the_episode(make_episode: MakeEpisode) -> None:
    episode = make_episode()
    run(episode, block("ls"), "hm", "hm", "hm", "never asked")
    assert episode.stop_reason == StopReason.PARSE_ERROR
    assert len(episode.prompts) == 4


def test_a_limit_of_the_episode_passes_through(make_episode: MakeEpisode) -> None:
    episode = make_episode(max_turns=2)
    with pytest.raises(EpisodeOver):
        run(episode, *[block("ls")] * 5)
    assert episode.stop_reason == StopReason.MAX_TURNS


def test_a_task_of_several_steps_goes_on_after_a_submission(make_episode: MakeEpisode) -> None:
    episode = make_episode(instructions={"one": "First this.", "two": "Then that."})
    run(episode, block("submit"), block("touch that"), block("submit"))
    assert episode.stop_reason == StopReason.SUBMITTED
    assert "First this." in content(episode.prompts[0][1])
    assert content(episode.prompts[1][-1]) == "Then that."
    assert Path(episode.workdir, "that").exists()
