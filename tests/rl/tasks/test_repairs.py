"""The family as a policy sees it: short, lossless, and the same ids in demonstrations as in episodes."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import torch

from agentgym.backends import make_backend
from agentgym.rollout import Job, rollout
from agentgym.synthesis.repairs.edit import numbered
from agentgym.synthesis.repairs.family import Split, sample
from agentgym.synthesis.repairs.folder import instruction, write_repair
from agentgym.synthesis.repairs.repair import Repair
from agentgym.views.samples import samples
from policy.checkpoint.load import LoadedPolicy
from policy.entry import PolicyModel
from policy.model import Decoder
from policy.options import PolicyOptions
from policy.tiny import tiny_policy_config
from rl.tasks.repairs import demonstrate, repair_tokenizer
from scaffolds.repair import RepairScaffold, prompt
from tests.require import unavailable


def drawn(n: int) -> list[Repair]:
    rng = random.Random(8)
    return [sample(split, rng) for _ in range(n) for split in Split]


def shown(repair: Repair) -> str:
    return prompt(instruction(repair), repair.broken)


def test_every_lexeme_of_the_family_is_one_token() -> None:
    tokenizer = repair_tokenizer()
    singles = {id for id in range(tokenizer.n_vocab) if len(tokenizer.token_bytes(id)) > 1}
    for repair in drawn(60):
        for text in (shown(repair), str(repair.edit), numbered(repair.fixed)):
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == text
            # a word that is spelled would be at least two letters in a row
            letters = [len(tokenizer.token_bytes(id)) == 1 and tokenizer.token_bytes(id).isalpha() for id in ids]
            assert not any(first and second for first, second in pairwise(letters)), text
            assert singles.intersection(ids)


def test_three_times_shorter_than_characters() -> None:
    tokenizer = repair_tokenizer()
    texts = [shown(repair) for repair in drawn(60)]
    assert 3 * sum(len(tokenizer.encode(text)) for text in texts) < sum(map(len, texts))


def test_tiny_policy_is_tiny_and_hybrid() -> None:
    config = tiny_policy_config(repair_tokenizer().n_vocab)
    assert config.mixers == {"lightning", "msa", "softmax"}
    assert 1e6 < sum(weight.numel() for weight in Decoder(config, device="meta").parameters()) < 3e6


def test_demonstration_is_what_an_episode_has_on_record(tmp_path: Path) -> None:
    backend = make_backend("namespaces")
    if not all(check.ok for check in backend.doctor()):
        unavailable("namespaces", "no namespaces here")
    repair = drawn(1)[0]
    task = write_repair(repair, Split.TRAIN, tmp_path / "task")
    tokenizer = repair_tokenizer()
    config = tiny_policy_config(tokenizer.n_vocab)
    torch.manual_seed(0)
    loaded = LoadedPolicy(Decoder(config).eval(), config, tmp_path, "agentgym")
    model = PolicyModel(loaded, tokenizer, PolicyOptions(max_tokens=12, seed=1), "tiny")
    try:
        trajectory = rollout(Job(task, RepairScaffold(), model), backend)
    finally:
        model.close()
    assert trajectory.error is None
    assert trajectory.reward == 0.0
    [recorded] = samples(trajectory.calls)
    ids, loss_mask = demonstrate(repair, model.renderer)
    n_prompt = loss_mask.index(True)
    assert ids[:n_prompt] == recorded.ids[:n_prompt]
    assert recorded.loss_mask.index(True) == n_prompt
    assert loss_mask == [False] * n_prompt + [True] * (len(ids) - n_prompt)
    assert tokenizer.decode(ids[n_prompt:]) == f"{repair.edit}<|im_end|>"
    assert 0 < sum(recorded.loss_mask) <= 12
