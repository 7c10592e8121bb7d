"""The family of repairs as a policy sees it: its vocabulary, and what it is shown to imitate."""

from __future__ import annotations

import functools

from agentgym.protocols import Message
from agentgym.synthesis.repairs.folder import instruction
from agentgym.synthesis.repairs.lexemes import PATTERN
from agentgym.synthesis.repairs.repair import Repair
from agentgym.synthesis.repairs.vocabulary import texts
from policy.chat import Renderer
from policy.lexemes import lexeme_tokenizer
from policy.tokenizer import Tokenizer
from rl.tasks.demonstration import Demonstration, imitated
from scaffolds.repair import prompt


@functools.cache
def repair_tokenizer() -> Tokenizer:
    """A token for each lexeme of the family; the same on every machine."""
    return lexeme_tokenizer(PATTERN, texts())


def demonstrate(repair: Repair, renderer: Renderer) -> Demonstration:
    """The scaffold's first prompt and the edit that mends the file."""
    messages: list[Message] = [
        {"role": "user", "content": prompt(instruction(repair), repair.broken)},
        {"role": "assistant", "content": str(repair.edit)},
    ]
    return imitated(messages, renderer)
