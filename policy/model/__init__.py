"""The decoder and what it is told about its tokens."""

from kernels.forest import Forest
from policy.model.context import Context
from policy.model.decoder import Decoder
from policy.model.packed import Choices, PackedContext
from policy.model.score import Scores, score

__all__ = ["Choices", "Context", "Decoder", "Forest", "PackedContext", "Scores", "score"]
