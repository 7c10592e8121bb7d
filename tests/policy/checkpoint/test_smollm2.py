"""Real weights: SmolLM2-135M-Instruct from the GGUF file of a Python package, against transformers on the same file."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from policy.checkpoint import load, save
from policy.model import PackedContext

PROMPT = [1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
"""<|im_start|>user ... <|im_start|>assistant, in the model's own ids."""
N_NEW = 24


def test_greedy_is_theirs(tmp_path: Path) -> None:
    """transformers reads the GGUF file by its own code, and the folder that we save."""
    smollm2 = load("smollm2")
    assert smollm2.config.n_layers == 30
    assert smollm2.config.tie_embeddings
    saved = save(smollm2.model, tmp_path / "smollm2", model_type=smollm2.model_type)
    again = transformers.AutoModelForCausalLM.from_pretrained(saved)
    theirs = _their_reading(smollm2.source, again.config)

    prompt = torch.tensor([PROMPT])
    ids = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=N_NEW, do_sample=False, eos_token_id=None
    )[0]
    assert len(ids.unique()) > 16
    with torch.inference_mode():
        ours = smollm2.model.logits(smollm2.model(ids, PackedContext([len(ids)])))
        # each of their tokens is our first choice after the ones before it, so our greedy text is theirs
        assert torch.equal(ours[len(PROMPT) - 1 : -1].argmax(-1), ids[len(PROMPT) :])
        torch.testing.assert_close(theirs(ids[None]).logits[0], ours, atol=2e-4, rtol=0)
        torch.testing.assert_close(again(ids[None]).logits[0], ours, atol=2e-4, rtol=0)


def _their_reading(file: Path, config: transformers.PreTrainedConfig) -> transformers.PreTrainedModel:
    """What from_pretrained(gguf_file=) does, which would need the package accelerate."""
    model = transformers.LlamaForCausalLM(config).eval()
    read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model)
    stated = read["config"]
    assert stated["rope_theta"] == config.rope_parameters["rope_theta"]
    assert abs(stated["rms_norm_eps"] - config.rms_norm_eps) < 1e-12
    assert stated["max_position_embeddings"] == config.max_position_embeddings
    missing, unexpected = model.load_state_dict(read["tensors"], strict=False)
    assert missing == ["lm_head.weight"]
    assert not unexpected
    model.tie_weights()
    return model
