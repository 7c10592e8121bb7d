"""Log-probability and entropy of chosen tokens from hidden states and LM head, logits never whole. See README.md."""

from kernels.logprob.op import chosen_logprobs

__all__ = ["chosen_logprobs"]
