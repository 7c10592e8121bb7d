"""Which chat format a checkpoint speaks, told by the tokens in its vocabulary."""

from __future__ import annotations

from policy.chat import chatml, minimax_m2
from policy.chat.chatml import ChatML
from policy.chat.minimax_m2 import MiniMaxM2
from policy.chat.rendered import Renderer
from policy.tokenizer import Tokenizer, TokenizerError


def choose_renderer(tokenizer: Tokenizer) -> Renderer:
    """Raises TokenizerError when the vocabulary has the tokens of no format that is known here."""
    if chatml.START in tokenizer.added:
        return ChatML(tokenizer)
    if minimax_m2.START in tokenizer.added:
        return MiniMaxM2(tokenizer)
    has = ", ".join(tokenizer.added) or "none"
    raise TokenizerError(
        f"no chat format fits the added tokens {has}; wanted {chatml.START} (chatml) or {minimax_m2.START} (minimax-m2)"
    )
