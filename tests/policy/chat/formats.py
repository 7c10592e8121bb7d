"""Every chat format over a vocabulary: SmolLM2's spells the markup, MiniMax's and Qwen's have tokens for it."""

from __future__ import annotations

import functools
import json

from policy.chat import ChatML, MiniMaxM2, Renderer
from policy.tokenizer import Tokenizer
from tests.policy.vocabularies import minimax_definition, minimax_tokenizer, smollm2_tokenizer

FORMATS = ("chatml", "chatml with tokens for its markup", "minimax-m2")


@functools.cache
def renderer_of(format: str) -> Renderer:
    if format == "chatml":
        return ChatML(smollm2_tokenizer())
    if format == "minimax-m2":
        return MiniMaxM2(minimax_tokenizer())
    text = minimax_definition().replace("minimax:tool_call", "tool_call").replace("]~b]", "<|im_start|>")
    tokenizer = Tokenizer(json.loads(text.replace("[e~[", "<|im_end|>")))
    return ChatML(tokenizer)
