"""The one-token chunks of a step, as tensors: where each request's pages are, and how many tokens it sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from policy.engine.scheduler import Chunk

# N requests


class Decoding:
    """Of those chunks that come first; the longer ones are left alone."""

    def __init__(self, chunks: Sequence[Chunk], page_tokens: int, device: torch.device) -> None:
        decoding = [chunk for chunk in chunks if chunk.n == 1]
        self.n = len(decoding)
        n_pages = [-(-(chunk.start + 1) // page_tokens) for chunk in decoding]
        width = max(n_pages, default=0)
        padded = [
            (chunk.request.table.pages[:n] + [0] * width)[:width] for chunk, n in zip(decoding, n_pages, strict=True)
        ]
        self.tables: Tensor = torch.tensor(padded, dtype=torch.int32, device=device)
        """[N, width]; 0 behind the last page."""
        self.lengths_N: Tensor = torch.tensor([chunk.start + 1 for chunk in decoding], dtype=torch.int32, device=device)
