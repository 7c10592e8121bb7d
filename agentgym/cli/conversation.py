"""A person and a model: reads lines, streams replies. No tools, no task, no record."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Any, cast

from rich.text import Text

from agentgym import entry
from agentgym.cli.console import busy, note, plain, stderr
from agentgym.errors import ModelError, UsageError, model_failures
from agentgym.nearest import nearest
from agentgym.protocols import Delta, Message, Reply, StreamingModel


class Conversation:
    """Messages so far, and the model that answers them."""

    def __init__(self, spec: str, options: Mapping[str, Any], *, system: str | None, as_json: bool) -> None:
        """Raises UsageError, also where the model cannot stream."""
        with busy(f"loading {spec}"):
            model = entry.make_model(spec, options)
        if not isinstance(model, StreamingModel):
            raise UsageError(f"model {spec} cannot stream its replies; chat with one that can, such as policy:smollm2")
        self._model = model
        self._as_json = as_json
        self._opening: list[Message] = [] if system is None else [{"role": "system", "content": system}]
        self._messages = list(self._opening)
        self._interactive = sys.stdin.isatty()
        self._stderr = stderr()

    def run(self, prompt: str | None) -> None:
        """One reply to `prompt`, or one to each line until the end of input. Raises ModelError for the one."""
        if prompt is not None:
            self._ask(prompt)
            return
        if self._interactive:
            import readline  # noqa: F401  # line editing in input()

            note("a line is a message; /reset begins anew, /quit leaves, Ctrl-C ends a reply", "dim")
        while (line := self._read()) is not None and line.strip() != "/quit":
            if line.startswith("/"):
                self._command(line.strip())
            elif line.strip():
                self._take(line)

    def _read(self) -> str | None:
        """One line, None at the end. Ctrl-C at the prompt drops what was typed."""
        while True:
            try:
                return input("> " if self._interactive else "")
            except EOFError:
                if self._interactive:
                    print()
                return None
            except KeyboardInterrupt:
                print()

    def _command(self, line: str) -> None:
        if line == "/reset":
            self._messages = list(self._opening)
            note("a new conversation", "dim")
        else:
            hint = nearest(line, ("/reset", "/quit"), what="command")
            note(f"no command {line}{hint}; there are /reset and /quit", "yellow")

    def _take(self, line: str) -> None:
        """Ask; what goes wrong or is interrupted ends the reply and not the conversation."""
        try:
            self._ask(line)
        except ModelError as error:
            self._messages.pop()
            hint = "; /reset begins a new conversation" if error.context_overflow else ""
            note(f"{error}{hint}", "yellow")
        except KeyboardInterrupt:
            note("\ninterrupted", "dim")

    def _ask(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})
        said = {"reasoning": "", "content": ""}
        with model_failures(), closing(cast(Any, self._model.stream(self._messages))) as pieces:
            try:
                reply: Reply | None = None
                for piece in pieces:
                    if hasattr(piece, "message"):  # told by its fields: a model need not know our classes
                        reply = piece
                        break
                    after_reasoning = bool(said["reasoning"]) and not said["content"]
                    said[piece.kind] += piece.text  # first: what is seen is kept, whenever Ctrl-C comes
                    if not self._as_json:
                        self._show(piece, after_reasoning=after_reasoning)
            except KeyboardInterrupt:
                # what was said stays said
                message: Message = {"role": "assistant", "content": said["content"]}
                if said["reasoning"]:
                    message["reasoning_content"] = said["reasoning"]
                self._messages.append(message)
                raise
        if reply is None:
            raise ModelError(f"{self._model.name} ended its stream without a reply")
        self._messages.append(reply.message)
        self._finish(reply)

    def _show(self, piece: Delta, *, after_reasoning: bool) -> None:
        """Content is the result; reasoning goes where progress goes, dim."""
        text = plain(piece.text)
        if piece.kind == "reasoning":
            self._stderr.print(Text(text, style="dim"), end="", soft_wrap=True)
            return
        if after_reasoning:
            self._stderr.print("\n")
        print(text, end="", flush=True)

    def _finish(self, reply: Reply) -> None:
        usage = {"prompt_tokens": reply.usage.prompt_tokens, "completion_tokens": reply.usage.completion_tokens}
        if self._as_json:
            line = {"message": reply.message, "finish_reason": reply.finish_reason, "usage": usage}
            print(json.dumps(line), flush=True)
            return
        print(flush=True)
        for call in reply.message.get("tool_calls", ()):
            function = call["function"]
            note(plain(f"calls {function['name']} {function['arguments']}"), "dim")
        if reply.finish_reason == "length":
            note(f"cut off after {reply.usage.completion_tokens} tokens", "dim")
