"""The smallest agent of use: one bash command a turn, in a fenced block, until it submits.

The pattern is mini-swe-agent's: a linear history, plain text instead of a tool-calling API, so that any model which
answers text can be run. It knows neither limits nor records; both are the episode's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentgym.protocols import Message, Model, Reply, StopReason, ToolCall
from scaffolds.calls import MALFORMED_AT_MOST
from scaffolds.memory import Rules, Skills
from scaffolds.opening import system_message, user_message
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

# as in CommonMark, the closing fence is as long as the opening one or longer: four backticks can quote three
BLOCK = re.compile(r"^(`{3,})(?:bash|sh)[ \t]*\n(.*?)^\1`*[ \t]*$", re.DOTALL | re.MULTILINE)


class FormatError(Exception):
    """A reply without exactly one bash block. The message is for the model."""


class BashScaffold:
    """Runs the loop: reply, read the block, step, observe."""

    name = "bash"
    needs_model = True

    def run(self, episode: Episode, model: Model) -> None:
        """Work until the episode is over. Raises ModelError and SandboxError."""
        task = render("bash_instance.md", instruction=episode.instruction, workdir=episode.workdir)
        told = "\n\n".join(filter(None, (Rules(episode).recall().strip(), list_skills(episode))))
        messages: list[Message] = [
            system_message(episode, "bash_system.md"),
            user_message(task, told),
        ]
        malformed = 0
        while not episode.over:
            reply = episode.reply(model, messages)
            messages.append(reply.message)
            try:
                action = read_action(reply)
            except FormatError as error:
                malformed += 1
                if malformed == MALFORMED_AT_MOST:
                    episode.stop(StopReason.PARSE_ERROR)
                    return
                observation = render("bash_format_error.md", problem=str(error))
            else:
                malformed = 0
                observation = episode.step(action).observation
            messages.append({"role": "user", "content": observation})


def list_skills(episode: Episode) -> str:
    """The repository's skills, for an agent that reads their files itself; empty where there are none."""
    skills = Skills(episode).found
    listed = (f"- {skill.name} (`{skill.path}`): {skill.description}" for skill in skills)
    return render("bash_skills.md", skills="\n".join(listed)).strip() if skills else ""


def read_action(reply: Reply) -> ToolCall:
    """The one command in the reply. Raises FormatError."""
    # some servers leave the reasoning in the text, drafts of commands included
    text = (reply.message["content"] or "").rpartition("</think>")[2]
    blocks = [match[2] for match in BLOCK.finditer(text)]
    if len(blocks) > 1:
        raise FormatError(f"Your reply had {len(blocks)} bash blocks; it must have exactly one.")
    if not blocks and reply.finish_reason == "length":
        raise FormatError("Your reply was cut off at the length limit before its bash block ended. Be shorter.")
    if not blocks:
        raise FormatError("Your reply had no bash block; it must have exactly one.")
    command = blocks[0].strip()
    if not command:
        raise FormatError("The bash block in your reply was empty.")
    return ToolCall("submit") if command == "submit" else ToolCall("bash", {"command": command})
