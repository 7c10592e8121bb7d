"""MiniMax Sparse Attention: each query attends to the few blocks of keys that an index branch finds for it.

README.md has the formulas, their gradients and costs.
"""

from kernels.msa.op import (
    MSAOutput,
    index_loss,
    msa_attention,
    msa_decode,
    select_blocks,
    select_blocks_paged,
    sparse_attention,
)

__all__ = [
    "MSAOutput",
    "index_loss",
    "msa_attention",
    "msa_decode",
    "select_blocks",
    "select_blocks_paged",
    "sparse_attention",
]
