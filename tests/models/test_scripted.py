from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.errors import ModelError, UsageError
from agentgym.models import ScriptedModel
from agentgym.protocols import Message, Reply

USER: Message = {"role": "user", "content": "go on"}


def test_replies_come_in_order_and_then_no_more() -> None:
    tool_reply = Reply({"role": "assistant", "content": None, "tool_calls": []}, "tool_calls")
    model = ScriptedModel(["one", tool_reply], name="demo")
    messages = [USER]
    assert model.reply(messages) == Reply({"role": "assistant", "content": "one"})
    messages += [model.reply(messages).message, USER]
    assert model.reply(messages) is tool_reply
    messages += [tool_reply.message, USER]
    with pytest.raises(ModelError) as caught:
        model.reply(messages)
    assert str(caught.value) == (
        "the script of model 'demo' is exhausted: it has 2 replies, and the conversation asks for number 3"
    )


def test_every_conversation_starts_at_the_first_reply() -> None:
    model = ScriptedModel(["one", "two"])
    for _ in range(3):
        assert model.reply([USER]).message["content"] == "one"


def test_a_function_may_decide() -> None:
    model = ScriptedModel(lambda messages: f"you said {messages[-1]['content']}")
    assert model.reply([USER]).message["content"] == "you said go on"


def test_a_script_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "fix.toml"
    path.write_text(
        '[[replies]]\ncontent = "hm"\n[[replies]]\ntool = "bash"\narguments = { command = "ls" }\n'
        '[[replies]]\ncontent = "done"\ntool = "submit"\n'
    )
    model = ScriptedModel.from_spec(str(path), {})
    assert model.name == "fix"
    said: list[Message] = [{"role": "assistant", "content": ""}]
    assert model.reply([]).message["content"] == "hm"
    second, third = model.reply(said), model.reply(said * 2)
    [call] = second.message["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("call_2", "bash")
    assert json.loads(call["function"]["arguments"]) == {"command": "ls"}
    assert second.finish_reason == "tool_calls"
    assert third.message["content"] == "done"
    assert third.message["tool_calls"][0]["function"] == {"name": "submit", "arguments": "{}"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found no [[replies]]"),
        ("replies = [1]", "found no [[replies]]"),
        ("[[reply]]", "takes no option 'reply' (nearest known option: \"replies\")"),
        ("[[replies]]", "reply 1 is empty; wanted `content`, or `tool` and `arguments`"),
        ('[[replies]]\ncontnt = "a"', "reply 1 takes no option 'contnt' (nearest known option: \"content\")"),
        ("[[replies]]\ncontent = 1", "reply 1: wanted text"),
        ("[[replies", "not TOML: "),
    ],
)
def test_a_script_that_is_wrong_is_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        ScriptedModel.from_spec(str(path), {})
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_it_takes_no_options() -> None:
    with pytest.raises(UsageError, match=r"scripted takes no option 'temperature' \(known: none\)"):
        ScriptedModel.from_spec("a.toml", {"temperature": 1})
