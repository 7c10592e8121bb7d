"""Raw request bodies come back as they were, and what was said once is kept once."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentgym.gateway.raw import LISTS, Packer, unpack

ITEMS = st.lists(
    st.one_of(st.integers(0, 2), st.dictionaries(st.sampled_from("ab"), st.integers(0, 1), max_size=2)), max_size=5
)
BODIES = st.fixed_dictionaries(
    {"model": st.just("m")},
    optional={field: st.one_of(ITEMS, st.text(max_size=2), st.none()) for field in LISTS},
)


def pack(packer: Packer, body: dict[str, Any], index: int) -> dict[str, Any]:
    packed = packer.pack(body, index)
    packer.keep(packed)
    return packed.body


def test_what_did_not_get_to_disk_is_not_referred_to() -> None:
    packer, body = Packer(), {"messages": [{"role": "user", "content": "x"}]}
    packer.pack(body, 0)
    assert packer.pack(body, 0).body == body


@given(st.lists(BODIES, max_size=8))
def test_any_bodies_come_back(bodies: list[dict[str, Any]]) -> None:
    packer = Packer()
    packed = json.loads(json.dumps([pack(packer, body, index) for index, body in enumerate(bodies)]))
    earlier: dict[int, dict[str, Any]] = {}
    for index, body in enumerate(packed):
        earlier[index] = unpack(body, earlier)
    assert list(earlier.values()) == bodies


def test_a_conversation_that_grows_is_kept_once() -> None:
    packer = Packer()
    messages = [{"role": "user", "content": "x" * 1000}]
    sizes = []
    for index in range(50):
        sizes.append(len(json.dumps(pack(packer, {"messages": messages, "tools": [{"name": "t" * 1000}]}, index))))
        messages = [*messages, {"role": "assistant", "content": "y" * 1000}]
    assert max(sizes[1:]) < 1300
