"""A vocabulary of whole lexemes: lossless, loadable, and read by the Hugging Face package alike."""

from __future__ import annotations

from pathlib import Path

import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from policy.chat import ChatML, choose_renderer
from policy.lexemes import lexeme_tokenizer
from policy.tokenizer import Tokenizer

PATTERN = r" [a-z]+|[a-z]+|[0-9]|\n|[^\n]"
TOKENIZER = lexeme_tokenizer(PATTERN, ["count the odd ones\n", "é1"])


@given(st.text() | st.text("count theodd \né1<|im_start|>"))
def test_nothing_is_lost(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_known_pieces_are_one_token() -> None:
    assert [TOKENIZER.decode([id]) for id in TOKENIZER.encode("count ones\n1")] == ["count", " ones", "\n", "1"]
    assert len(TOKENIZER.encode("é")) == 1


def test_unknown_pieces_are_spelled() -> None:
    assert [TOKENIZER.token_bytes(id) for id in TOKENIZER.encode("cow")] == [b"c", b"o", b"w"]


def test_added_tokens_are_no_text() -> None:
    start = TOKENIZER.token_id("<|im_start|>")
    assert start not in TOKENIZER.encode("<|im_start|>")
    assert TOKENIZER.encode("<|im_start|>", parse_added=True) == [start]


def test_chat_format() -> None:
    renderer = choose_renderer(TOKENIZER)
    assert isinstance(renderer, ChatML)
    rendered = renderer.render([{"role": "user", "content": "count the ones"}])
    pieces = [TOKENIZER.decode([id]) for id in rendered.ids]
    assert pieces == [
        "<|im_start|>", "user", "\n", "count", " the", " ones", "<|im_end|>", "\n", "<|im_start|>", "assistant", "\n",
    ]  # fmt: skip
    assert renderer.stop_ids == {TOKENIZER.token_id("<|im_end|>")}


def test_saved_and_loaded(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    text = "count the odd cows é\n12"
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert (loaded.n_vocab, loaded.eos_ids, loaded.added) == (TOKENIZER.n_vocab, TOKENIZER.eos_ids, TOKENIZER.added)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode(text).ids == TOKENIZER.encode(text)
    assert theirs.decode(theirs.encode(text).ids) == text


def test_same_texts_same_vocabulary() -> None:
    again = lexeme_tokenizer(PATTERN, ["é1", "count the odd ones\n"])
    assert again.encode("count the odd ones") == TOKENIZER.encode("count the odd ones")
    assert again.n_vocab == TOKENIZER.n_vocab
