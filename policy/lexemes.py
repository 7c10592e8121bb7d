"""A vocabulary of whole lexemes, for policies so small that a text has to be short: each piece of a pattern is a token.

It is byte-level BPE without merges, as far as `Tokenizer` and the Hugging Face files are concerned: a piece that is in
the vocabulary is one token, any other is spelled byte by byte. So every text has ids, and they give the text back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tokenizers import pre_tokenizers

from policy.tokenizer import Tokenizer

ADDED = ("<|im_start|>", "<|im_end|>")
"""ChatML's."""


def lexeme_tokenizer(pattern: str, texts: Iterable[str]) -> Tokenizer:
    """With a token for each piece that `pattern` cuts out of `texts`; the pattern has to match any character."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = {piece for text in (*texts, "user\nassistant\nsystem\n") for piece in re.findall(pattern, text)}
    spelled = sorted(_spell(piece) for piece in pieces)
    tokens = [*ADDED, *alphabet, *(piece for piece in spelled if piece not in set(alphabet))]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    definition = {
        "version": "1.0",
        "added_tokens": [_added(name, vocabulary[name]) for name in ADDED],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "ignore_merges": True},
    }
    return Tokenizer(definition, eos_ids=[vocabulary["<|im_end|>"]])


def _spell(piece: str) -> str:
    """In the alphabet of byte-level vocabularies."""
    [(spelled, _)] = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(piece)
    return str(spelled)


def _added(name: str, id: int) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id, "content": name, **flags, "special": True}
