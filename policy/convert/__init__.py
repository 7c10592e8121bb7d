"""From one kind of attention to another: softmax checkpoints into block-sparse ones (`python -m policy.convert`)."""

from policy.convert.msa import warm_up, with_msa
from policy.convert.perplexity import perplexity

__all__ = ["perplexity", "warm_up", "with_msa"]
