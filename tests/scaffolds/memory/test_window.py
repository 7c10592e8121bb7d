from __future__ import annotations

from agentgym.protocols import Message, Reply, Usage
from scaffolds.memory import Window
from scaffolds.memory.window import CHARS_PER_TOKEN, count_tokens
from tests.scaffolds.speakers import call, text_of

OPENING: list[Message] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]


def turn(window: Window, number: int, n_tokens: int, usage: Usage | None = None, *, answers: int = 1) -> None:
    """A turn of about so many tokens, half of them an answer's."""
    chars = n_tokens * CHARS_PER_TOKEN // (answers + 1)
    reply = call(*[("bash", {})] * answers, content=f"{number}".ljust(chars, "."))
    window.add(
        Reply(reply.message, "tool_calls", usage or Usage()),
        [{"role": "tool", "content": "x" * chars, "tool_call_id": f"c{n}"} for n in range(answers)],
    )


def numbers(messages: list[Message]) -> list[int]:
    return [int(text_of(message).rstrip(".")) for message in messages if message["role"] == "assistant"]


def filled(n_turns: int, n_tokens: int, answers: int = 1) -> Window:
    window = Window(1000)
    window.open(OPENING)
    for number in range(n_turns):
        turn(window, number, n_tokens, answers=answers)
    return window


def test_nothing_goes_while_there_is_room() -> None:
    window = filled(7, 100)
    assert not window.outgrown()
    assert len(window.messages) == 2 + 14
    assert window.messages[:2] == OPENING


def test_the_last_turns_stay_whole() -> None:
    window = filled(9, 90, answers=2)
    old = window.outgrown()
    assert old == range(2, 2 + 7 * 3)  # two turns fit a fifth of the window
    new: list[Message] = [{"role": "user", "content": "summary"}]
    window.open(new)
    assert window.messages[0] == new[0]
    assert numbers(window.messages) == [7, 8]
    assert [message["role"] for message in window.messages[1:]] == ["assistant", "tool", "tool"] * 2
    assert not window.outgrown()


def test_it_fills_again() -> None:
    window = filled(9, 90)
    window.open(OPENING)
    for number in range(9, 16):
        assert not window.outgrown()
        turn(window, number, 90)
    assert window.outgrown()
    window.open(OPENING)
    assert numbers(window.messages) == [14, 15]


def test_the_very_last_turn_stays_whatever_its_size() -> None:
    window = filled(4, 100)
    turn(window, 4, 5000)
    window.open(OPENING)
    assert numbers(window.messages) == [4]
    # and is no reason to sum up what is not there
    assert not window.outgrown()


def test_a_full_opening_is_no_reason_to_sum_up_little() -> None:
    window = Window(1000)
    window.open([{"role": "user", "content": "x" * 5000}])
    assert not window.outgrown()
    turn(window, 0, 50)
    turn(window, 1, 100)
    assert not window.outgrown()


def test_what_the_model_has_counted_counts() -> None:
    window = Window(1000)
    window.open(OPENING)
    turn(window, 0, 300, Usage(100, 10))
    turn(window, 1, 300, Usage(200, 10))
    assert window.n_tokens == 210 + 150
    turn(window, 2, 300, Usage(700, 10))
    assert window.n_tokens == 710 + 150
    assert window.outgrown() == range(2, 6)


def test_calls_and_reasoning_count() -> None:
    reply = call(("bash", {"command": "x" * 300}), reasoning="y" * 300)
    assert count_tokens([reply.message]) >= 600 // CHARS_PER_TOKEN
