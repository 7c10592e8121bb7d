"""`agentgym chat`: the options; the conversation itself is in conversation.py, so that `--help` need not load it."""

from __future__ import annotations

from typing import Annotated

import typer

from agentgym.cli.options import ModelOptions, read_options


def chat(
    model: Annotated[str, typer.Option(metavar="SPEC", help="KIND:REST, such as policy:smollm2.", show_default=False)],
    option: ModelOptions = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="System message; else the model's own.")] = None,
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="Print the reply to this and leave.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a reply, not streamed.")] = False,
) -> None:
    """Talk to a model.

    A line is a message; /reset begins anew, /quit or Ctrl-D leaves, Ctrl-C ends the reply that is coming. Exit code 0;
    2: the model or an option is wrong; 3: the model failed to answer --prompt; 130: Ctrl-C while it did.
    """
    from agentgym.cli.conversation import Conversation

    Conversation(model, read_options(option), system=system, as_json=as_json).run(prompt)
