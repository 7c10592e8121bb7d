"""Real weights: SmolLM2-135M-Instruct from the GGUF file of a Python package, against transformers."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

from policy.checkpoint import load, save
from policy.model import PackedContext

PROMPT = [1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
"""<|im_start|>user, What is the capital of France?, <|im_end|>, <|im_start|>assistant."""
CONTINUED = [504, 3575, 282, 4649, 314, 7042, 30, 2, 198, 2, 1, 9690, 198, 2, 198, 1, 4093, 198, 57, 5248, 3946, 288,
             7198, 253]  # fmt: skip
"""The capital of France is Paris.<|im_end|> ...: what transformers' generate says, greedy, fp32, when its own reader
(load_gguf_checkpoint) takes the weights from the same file."""


def test_greedy_is_theirs(tmp_path: Path) -> None:
    smollm2 = load("smollm2")
    assert smollm2.config.n_layers == 30
    assert smollm2.config.tie_embeddings
    ids = torch.tensor(PROMPT + CONTINUED)
    saved = save(smollm2.model, tmp_path / "smollm2", model_type=smollm2.model_type)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(saved)
    with torch.inference_mode():
        ours = smollm2.model.logits(smollm2.model(ids, PackedContext([len(ids)])))
        # each of their tokens is our first choice after the ones before it, so our greedy text is theirs
        assert ours[len(PROMPT) - 1 : -1].argmax(-1).tolist() == CONTINUED
        torch.testing.assert_close(theirs(ids[None]).logits[0], ours, atol=2e-4, rtol=0)
