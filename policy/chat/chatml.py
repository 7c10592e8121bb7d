"""ChatML, the format of SmolLM2 and Qwen: `<|im_start|>role\\ntext<|im_end|>\\n`.

Without tools it is what the checkpoints' own templates say. Tools follow the Hermes convention, which Qwen was trained
on: listed in the system prompt, called as `<tool_call>{"name", "arguments"}</tool_call>`, answered in a user turn as
`<tool_response>`. Reasoning stands before the content as `<think>` and is kept for all turns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from policy.chat.live import LiveReply
from policy.chat.message import BLANKS, Call, Message, Parsed, Tool, calls_of, read_json, read_json_at, text_of, to_json
from policy.chat.rendered import Rendered, Writer
from policy.chat.reply import END_THINK, THINK, Markup, Reading, read_reply
from policy.tokenizer import Tokenizer

START, END = "<|im_start|>", "<|im_end|>"
CALL = ("<tool_call>", "</tool_call>")

_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

# the line break is spelled out in some copies of a template and escaped in others
_DEFAULT_SYSTEM = re.compile(r"<\|im_start\|>system(?:\n|\\n)([^'\"{}<]+)<\|im_end\|>")


class ChatML:
    """Renders and parses ChatML."""

    name = "chatml"

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises TokenizerError when the vocabulary lacks the format's tokens."""
        self.tokenizer = tokenizer
        tokenizer.token_id(START)
        self.stop_ids = frozenset({tokenizer.token_id(END), *tokenizer.eos_ids})
        self._markup = Markup(tokenizer, self.stop_ids, CALL, in_thought=False)
        stated = _DEFAULT_SYSTEM.search(tokenizer.chat_template or "")
        self.default_system = stated[1] if stated else None
        """What the checkpoint's template says where a conversation begins without a system message."""

    def render(self, messages: Sequence[Message], tools: Sequence[Tool] = (), *, reply: bool = True) -> Rendered:
        writer = Writer(self.tokenizer)
        first = 0
        if messages and messages[0]["role"] == "system":
            self._system(writer, 0, text_of(messages[0]), tools)
            first = 1
        elif tools or (messages and self.default_system):
            self._system(writer, None, self.default_system or "", tools)
        self._messages(writer, messages[first:], first)
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
        return read_reply(self._markup, ids, _read_calls, stop)

    def follow(self) -> LiveReply:
        return LiveReply(self._markup)

    def _system(self, writer: Writer, message: int | None, text: str, tools: Sequence[Tool]) -> None:
        if tools:
            listed = _TOOLS.format(tools="\n".join(map(to_json, tools)))
            text = f"{text}\n\n{listed}" if text else listed
        self._message(writer, message, "system", text)

    def _messages(self, writer: Writer, messages: Sequence[Message], first: int) -> None:
        for n, message in enumerate(messages):
            role = message["role"]
            if role == "assistant":
                self._assistant(writer, first + n, message)
            elif role == "tool":
                opens = n == 0 or messages[n - 1]["role"] != "tool"
                closes = n + 1 == len(messages) or messages[n + 1]["role"] != "tool"
                self._tool(writer, first + n, text_of(message), opens=opens, closes=closes)
            else:
                self._message(writer, first + n, role, text_of(message))

    def _message(self, writer: Writer, message: int | None, role: str, text: str) -> None:
        writer.token(START)
        body_start = writer.mark()
        writer.text(f"{role}\n{text}")  # in one piece, as the templates' users encode it
        body_end = writer.mark()
        writer.token(END)
        writer.text("\n")
        writer.span(message, role, body_start, body_end)

    def _assistant(self, writer: Writer, n: int, message: Message) -> None:
        writer.token(START)
        writer.text("assistant\n")
        body_start = writer.mark()  # apart from the header, as it is when it is sampled
        if reasoning := message.get("reasoning_content"):
            writer.markup(THINK)
            writer.text(f"\n{reasoning}\n")
            writer.markup(END_THINK)
            writer.text("\n\n")
        content = text_of(message)
        writer.text(content)
        for m, (name, arguments) in enumerate(calls_of(message)):
            writer.text("\n" if content or m else "")
            writer.markup(CALL[0])
            writer.text(f'\n{{"name": {to_json(name)}, "arguments": {to_json(arguments)}}}\n')
            writer.markup(CALL[1])
        writer.token(END)
        body_end = writer.mark()
        writer.text("\n")
        writer.span(n, "assistant", body_start, body_end)

    def _tool(self, writer: Writer, n: int, text: str, *, opens: bool, closes: bool) -> None:
        """Results of parallel calls share one user turn."""
        if opens:
            writer.token(START)
        else:
            writer.text("\n")
        body_start = writer.mark()
        writer.text(f"{'user' if opens else ''}\n<tool_response>\n{text}\n</tool_response>".removeprefix("\n"))
        body_end = writer.mark()
        if closes:
            writer.token(END)
            writer.text("\n")
        writer.span(n, "tool", body_start, body_end)

    def _open_reply(self, writer: Writer) -> None:
        writer.token(START)
        writer.text("assistant\n")
        here = writer.mark()
        writer.span(None, "assistant", here, here)


def _read_calls(reading: Reading, start: int) -> tuple[list[Call], int]:
    """What stands between the marker that ends at `start` and its closing one, and where that ends.

    SmolLM2 was trained to write a list of calls, the others write one. Raises ValueError.
    """
    try:
        value, end = read_json_at(reading.text, start)
    except ValueError as error:
        raise ValueError(f"a tool call is no JSON: {error}") from None
    end = reading.skip(BLANKS, end, len(reading.text))
    if not reading.at(CALL[1], end):
        raise ValueError(f"a tool call is not closed by {CALL[1]}")
    calls = [_read_call(item) for item in (value if isinstance(value, list) else [value])]
    if not calls:
        raise ValueError("a list of tool calls is empty")
    return calls, end + len(CALL[1])


def _read_call(value: Any) -> Call:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError('a tool call is no object with "name" and "arguments"')
    arguments = value.get("arguments", {})
    if isinstance(arguments, str):  # encoded twice
        try:
            arguments = read_json(arguments)
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of a tool call of {value['name']} are no object")
    return Call(value["name"], arguments)
