from __future__ import annotations

import threading
from typing import Any

from policy.chat import ChatML, Held
from policy.chat.memory import Memory
from tests.policy.chat.conversations import tool
from tests.policy.vocabularies import smollm2_tokenizer

USER = {"role": "user", "content": "u"}
NEXT = {"role": "user", "content": "next"}
TOOLS = [tool("f", {"x": "string"})]


def answer(
    memory: Memory, renderer: ChatML, messages: list[dict[str, Any]], ids: list[int], tools: Any = ()
) -> dict[str, Any]:
    """Take ids as the reply to these messages."""
    prompt = memory.prompt(messages, tools)
    reply = renderer.parse(ids, tools).message()
    memory.add(Held.after(messages, tools, prompt, ids, reply))
    return reply


def test_sampled_ids_come_back_as_they_were() -> None:
    """ "he" + "llo" decodes to a word that would be encoded as one token."""
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer)
    ids = [
        *renderer.tokenizer.encode("he"),
        *renderer.tokenizer.encode("llo"),
        renderer.tokenizer.token_id("<|im_end|>"),
    ]
    assert renderer.tokenizer.encode("hello") != ids[:-1]
    first = [USER]
    reply = answer(memory, renderer, first, ids)
    second = [*first, reply, NEXT]
    prompt = memory.prompt(second, ())
    start = len(renderer.render(first).ids)
    assert list(prompt.ids[start : start + len(ids)]) == ids
    # a second turn holds both replies
    reply2 = answer(memory, renderer, second, ids)
    third = memory.prompt([*second, reply2, NEXT], ())
    assert third.ids[: len(prompt.ids) + len(ids)] == (*prompt.ids, *ids)


def test_a_conversation_that_was_rewritten_is_rendered() -> None:
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer)
    reply = answer(memory, renderer, [USER], [17, 18, 19])
    for asked, tools in (
        ([{"role": "user", "content": "other"}, reply, NEXT], ()),
        ([USER, {"role": "assistant", "content": "other"}, NEXT], ()),
        ([USER, reply, NEXT], TOOLS),
    ):
        assert memory.prompt(asked, tools) == renderer.render(asked, tools)


def test_conversations_that_come_to_the_same_reply_are_told_apart() -> None:
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer)
    reply = answer(memory, renderer, [USER], [17, 18, 19])
    assert answer(memory, renderer, [NEXT], [17, 18, 19]) == reply
    for first in (USER, NEXT):
        start = renderer.render([first]).ids
        assert memory.prompt([first, reply, USER], ()).ids[: len(start) + 3] == (*start, 17, 18, 19)
        assert renderer.render([first, reply, USER]).ids[: len(start) + 3] != (*start, 17, 18, 19)


def test_rewritten_after_a_reply_the_reply_is_still_held() -> None:
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer)
    reply = answer(memory, renderer, [USER], [17, 18, 19])
    answer(memory, renderer, [USER, reply, NEXT], [20, 21])
    other = [USER, reply, {"role": "user", "content": "instead"}]
    assert memory.prompt(other, ()).ids[: len(renderer.render([USER]).ids) + 3] == (
        *renderer.render([USER]).ids,
        17,
        18,
        19,
    )


def test_the_least_recently_used_goes_first() -> None:
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer, n_held=2)
    asked = [[{"role": "user", "content": str(n)}] for n in range(3)]
    replies = [answer(memory, renderer, asked[0], [20, 21]), answer(memory, renderer, asked[1], [20, 21])]
    after = [[*asked[n], replies[n], NEXT] for n in range(2)]
    held = memory.prompt(after[0], ())
    answer(memory, renderer, asked[2], [20, 21])
    assert memory.prompt(after[0], ()) == held
    assert memory.prompt(after[1], ()) == renderer.render(after[1])


def test_threads_share_it() -> None:
    renderer = ChatML(smollm2_tokenizer())
    memory = Memory(renderer, n_held=80)
    wrong: list[object] = []

    def talk(n: int) -> None:
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"{n}"}]
        for turn in range(20):
            ids = [40 + n, 60 + turn]
            before = len(memory.prompt(messages, ()).ids)
            messages = [*messages, answer(memory, renderer, messages, ids), NEXT]
            if memory.prompt(messages, ()).ids[before : before + 2] != tuple(ids):
                wrong.append((n, turn))

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
