"""TRL's own loss over an export is this project's loss: same numbers in, same loss and gradients out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rl.export import Row, rows
from rl.objective.cispo import ObjectiveConfig, policy_gradient
from rl.objective.denominator import SampleShape, sample_scales
from tests.rl.exported import VOCAB, rollout

# B rows, T tokens of a response, N tokens that train

W_MAX = 1.3
"""So low that some ratios are over it."""

PEERS = [
    ("cispo", {"epsilon_high": W_MAX}, ObjectiveConfig(w_max=W_MAX, denominator="global_tokens")),
    ("grpo", {}, ObjectiveConfig(kind="grpo")),
    ("dapo", {"epsilon_high": 0.28}, ObjectiveConfig(kind="dapo", denominator="global_tokens")),
]


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=VOCAB, initializer_range=0.3, attn_implementation="eager", **sizes)
    return LlamaForCausalLM(config)


@pytest.fixture(scope="module")
def exported(model: Any) -> list[Row]:
    """Two groups of three rollouts, of which one has two turns."""
    die = random.Random(0)

    def score(ids: Sequence[int]) -> list[float]:
        with torch.no_grad():
            logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1], -1)
        return logprobs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].tolist()

    rewards = {"a": (1.0, 0.0, 0.0), "b": (1.0, 0.25, 0.5)}
    trajectories = [
        rollout(die, task, number, reward, score, n_turns=2 if task == "a" else 1)
        for task, of_task in rewards.items()
        for number, reward in enumerate(of_task)
    ]

    def quiet(text: str) -> None:
        raise AssertionError(text)

    return list(rows(trajectories, warn=quiet))


def as_trl_wants_it(exported: Sequence[Row]) -> dict[str, Tensor]:
    """As docs/training.md tells: prompts padded on their left, responses on their right."""
    n_prompt = max(len(row.prompt_ids) for row in exported)
    n_response = max(len(row.response_ids) for row in exported)

    def left(values: Sequence[int]) -> list[int]:
        return [0] * (n_prompt - len(values)) + [*values]

    def right(values: Sequence[float]) -> list[float]:
        return [*values] + [0] * (n_response - len(values))

    return {
        "prompt_ids": torch.tensor([left(row.prompt_ids) for row in exported]),
        "prompt_mask": torch.tensor([left([1] * len(row.prompt_ids)) for row in exported]),
        "completion_ids": torch.tensor([right(row.response_ids) for row in exported]),
        "completion_mask": torch.tensor([right([1] * len(row.response_ids)) for row in exported]),
        "tool_mask": torch.tensor([right(row.response_mask) for row in exported]),
        "old_per_token_logps": torch.tensor([right(row.sampler_logprobs) for row in exported]),
        "advantages": torch.tensor([right(row.advantages) for row in exported]),
        "num_items_in_batch": torch.tensor(sum(sum(row.response_mask) for row in exported)),
    }


def trl_loss(model: Any, exported: Sequence[Row], folder: Path, loss_type: str, settings: dict[str, Any]) -> Tensor:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

    from policy.lexemes import lexeme_tokenizer

    lexeme_tokenizer(r"\w+|\s|.", ["x"]).save(folder)
    arguments = GRPOConfig(
        output_dir=str(folder / "out"), loss_type=loss_type, beta=0.0, use_cpu=True, bf16=False, report_to="none",
        gradient_checkpointing=False, per_device_train_batch_size=6, num_generations=3, **settings,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": "x"}] * 6),
        processing_class=PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), pad_token="<|im_end|>", eos_token="<|im_end|>"
        ),
    )
    trainer.current_gradient_accumulation_steps = 1
    model.train()
    return trainer._compute_loss(model, as_trl_wants_it(exported))


def our_loss(model: Any, exported: Sequence[Row], config: ObjectiveConfig) -> tuple[Tensor, Tensor]:
    """The loss, and the importance ratios."""
    logprobs, sampler, advantages, scales = [], [], [], []
    shapes = [SampleShape(sum(row.response_mask), row.rollout, row.group) for row in exported]
    for row, scale in zip(exported, sample_scales(shapes, config.denominator), strict=True):
        ids_T = torch.tensor([*row.prompt_ids, *row.response_ids])
        logprobs_T = torch.log_softmax(model(ids_T[None]).logits[0, :-1], -1)
        chosen_T = logprobs_T[torch.arange(len(ids_T) - 1), ids_T[1:]][-len(row.response_ids) :]
        mask_T = torch.tensor(row.response_mask, dtype=torch.bool)
        logprobs.append(chosen_T[mask_T])
        sampler.append(torch.tensor(row.sampler_logprobs)[mask_T])
        advantages.append(torch.tensor(row.advantages)[mask_T])
        scales.append(torch.full_like(advantages[-1], scale))
    logprobs_N = torch.cat(logprobs)
    mask_N = torch.ones_like(logprobs_N, dtype=torch.bool)
    found = policy_gradient(logprobs_N, torch.cat(sampler), torch.cat(advantages), torch.cat(scales), mask_N, config)
    return found.loss, found.ratio_T


def gradients(model: Any, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.filterwarnings("ignore")  # TRL's own
@pytest.mark.parametrize(("loss_type", "settings", "config"), PEERS, ids=[name for name, *_ in PEERS])
def test_the_same_numbers_give_the_same_loss_and_gradients(
    model: Any, exported: list[Row], tmp_path: Path, loss_type: str, settings: dict[str, Any], config: ObjectiveConfig
) -> None:
    theirs = trl_loss(model, exported, tmp_path, loss_type, settings)
    ours, ratio_N = our_loss(model, exported, config)
    assert ((ratio_N > W_MAX).any(), (ratio_N < 0.8).any()) == (True, True)  # what the losses differ in does happen
    if loss_type == "cispo":  # the others' loss is another number with the same gradient
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    wanted, found = gradients(model, theirs), gradients(model, ours)
    for name, gradient in wanted.items():
        assert gradient.abs().max() > 1e-4, name
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")  # fmt: skip
