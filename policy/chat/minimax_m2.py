"""The format of MiniMax-M2 and M2.5: `]~b]role\\ntext[e~[\\n`, tools called in XML, thinking between calls.

A reply begins inside `<think>`. Reasoning is kept for all turns, as M2 is served (interleaved thinking); the published
template drops what was thought before the last user message, so that from there on every turn would rewrite history.
String arguments are written and read as they are: blanks and line breaks at their ends count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policy.chat.arguments import coerce, parameters_of
from policy.chat.live import LiveReply
from policy.chat.message import Call, Message, Parsed, RenderError, Tool, calls_of, text_of, to_json
from policy.chat.rendered import Rendered, Writer
from policy.chat.reply import END_THINK, THINK, Markup, Reading, read_reply
from policy.tokenizer import Tokenizer

BEGIN, START, END = "]~!b[", "]~b]", "[e~["
CALLS = ("<minimax:tool_call>", "</minimax:tool_call>")
_ROLES = {"system": "system", "user": "user", "assistant": "ai", "tool": "tool"}

_TOOLS = """\


# Tools
You may call one or more tools to assist with the user query.
Here are the tools available in JSONSchema format:

<tools>
{tools}
</tools>

When making tool calls, use XML format to invoke tools and pass parameters:

"""
_EXAMPLE = """
<invoke name="tool-name-1">
<parameter name="param-key-1">param-value-1</parameter>
<parameter name="param-key-2">param-value-2</parameter>
...
</invoke>
"""

_IDENTITY = re.compile(r'set model_identity = "([^"]*)"')
_NAME = r"""name=(?:"([^"]*)"|'([^']*)'|([^\s>]+))\s*>"""
_INVOKE = re.compile(rf"\s*<invoke\s+{_NAME}")
_PARAMETER = re.compile(rf"\s*<parameter\s+{_NAME}")
_END_INVOKE = re.compile(r"\s*</invoke>")
# nothing escapes `</parameter>` inside a value: it ends one only where the call goes on, or ends, after it
_END_PARAMETER = re.compile(r"</parameter>(?=\s*(?:<parameter\s+name=|</invoke>\s*(?:<invoke\s+name=|\Z)))")


class MiniMaxM2:
    """Renders and parses MiniMax-M2's format."""

    name = "minimax-m2"

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises TokenizerError when the vocabulary lacks the format's tokens."""
        self.tokenizer = tokenizer
        for name in (BEGIN, START, THINK, END_THINK, *CALLS):
            tokenizer.token_id(name)
        self.stop_ids = frozenset({tokenizer.token_id(END), *tokenizer.eos_ids})
        self._markup = Markup(tokenizer, self.stop_ids, CALLS, in_thought=True)
        stated = _IDENTITY.search(tokenizer.chat_template or "")
        self.default_system = stated[1] if stated else "You are a helpful assistant."

    def render(self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True) -> Rendered:
        writer = Writer(self.tokenizer)
        stated = bool(messages) and messages[0]["role"] == "system"
        text = text_of(messages[0]) if stated else ""
        writer.token(BEGIN)
        self._system(writer, 0 if stated else None, text or self.default_system, tools)
        self._messages(writer, messages[stated:], int(stated))
        if reply:
            self._open_reply(writer)
        return writer.rendered()

    def extend(self, held: Rendered, messages: Sequence[Message], first: int) -> Rendered:
        writer = Writer(self.tokenizer, held)
        writer.close_reply(END)
        self._messages(writer, messages, first)
        self._open_reply(writer)
        return writer.rendered()

    def parse(self, ids: Sequence[int], tools: Sequence[Tool] = (), stop: Sequence[str] = ()) -> Parsed:
        def read_calls(reading: Reading, start: int) -> tuple[list[Call], int]:
            end = reading.find(CALLS[1], start)
            if end < 0:
                raise ValueError(f"tool calls are not closed by {CALLS[1]}")
            return _read_calls(reading.text[start:end], tools), end + len(CALLS[1])

        return read_reply(self._markup, ids, read_calls, stop)

    def follow(self) -> LiveReply:
        return LiveReply(self._markup)

    def _system(self, writer: Writer, message: int | None, text: str, tools: Sequence[Tool]) -> None:
        writer.token(START)
        body_start = writer.mark()
        writer.text(f"system\n{text}")
        if tools:
            listed = "\n".join(f"<tool>{to_json(tool.get('function', tool))}</tool>" for tool in tools)
            writer.text(_TOOLS.format(tools=listed))
            writer.token(CALLS[0])
            writer.text(_EXAMPLE)
            writer.token(CALLS[1])
        body_end = writer.mark()
        writer.token(END)
        writer.text("\n")
        writer.span(message, "system", body_start, body_end)

    def _messages(self, writer: Writer, messages: Sequence[Message], first: int) -> None:
        for n, message in enumerate(messages):
            role = message["role"]
            if role not in _ROLES:
                raise RenderError(f"found a message of role {role!r}, wanted one of {', '.join(_ROLES)}")
            if role == "assistant":
                self._assistant(writer, first + n, message)
                continue
            # results of parallel calls share one turn
            opens = role != "tool" or n == 0 or messages[n - 1]["role"] != "tool"
            closes = role != "tool" or n + 1 == len(messages) or messages[n + 1]["role"] != "tool"
            if opens:
                writer.token(START)
            body_start = writer.mark()
            text = f"<response>{text_of(message)}</response>" if role == "tool" else text_of(message)
            writer.text(f"{_ROLES[role] if opens else ''}\n{text}")
            body_end = writer.mark()
            if closes:
                writer.token(END)
                writer.text("\n")
            writer.span(first + n, role, body_start, body_end)

    def _assistant(self, writer: Writer, n: int, message: Message) -> None:
        writer.token(START)
        writer.text("ai\n")
        body_start = writer.mark()
        if reasoning := message.get("reasoning_content"):
            writer.token(THINK)
            writer.text("\n")
            body_start = writer.mark()  # a reply begins in thought
            writer.text(f"{reasoning}\n")
            writer.token(END_THINK)
            writer.text("\n\n")
        writer.text(text_of(message))
        if calls := calls_of(message):
            writer.text("\n")
            writer.token(CALLS[0])
            writer.text("\n")
            for name, arguments in calls:
                writer.text(f'<invoke name="{name}">\n')
                if isinstance(arguments, str):
                    writer.text(f"{arguments}\n")
                else:
                    for key, value in arguments.items():
                        spelled = value if isinstance(value, str) else to_json(value)
                        writer.text(f'<parameter name="{key}">{spelled}</parameter>\n')
                writer.text("</invoke>\n")
            writer.token(CALLS[1])
        writer.token(END)
        body_end = writer.mark()
        writer.text("\n")
        writer.span(n, "assistant", body_start, body_end)

    def _open_reply(self, writer: Writer) -> None:
        writer.token(START)
        writer.text("ai\n")
        writer.token(THINK)
        writer.text("\n")
        here = writer.mark()
        writer.span(None, "assistant", here, here)


def _read_calls(block: str, tools: Sequence[Tool]) -> list[Call]:
    """What stands between the markers. Raises ValueError when any of it is no call."""
    calls: list[Call] = []
    at = 0
    while invoke := _INVOKE.match(block, at):
        name = _name(invoke)
        schemas = parameters_of(tools, name)
        arguments = {}
        at = invoke.end()
        while parameter := _PARAMETER.match(block, at):
            key = _name(parameter)
            end = _END_PARAMETER.search(block, parameter.end())
            if end is None:
                raise ValueError(f"parameter {key} of a call of {name} is not closed")
            arguments[key] = coerce(block[parameter.end() : end.start()], schemas.get(key))
            at = end.end()
        closing = _END_INVOKE.match(block, at)
        if closing is None:
            raise ValueError(f"a call of {name} holds something that is no parameter, or is not closed")
        calls.append(Call(name, arguments))
        at = closing.end()
    if block[at:].strip() or not calls:
        raise ValueError("between the marks of tool calls stands something that is none")
    return calls


def _name(match: re.Match[str]) -> str:
    return next((group for group in match.groups() if group is not None), "")
