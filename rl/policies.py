"""The policy of a run: two decoders of the same weights, one that trains and one that an engine samples from.

The trainer's is changed in place, the engine's by publications alone (`weights.py`). Tasks and rewards are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from policy.chat import Renderer, choose_renderer
from policy.checkpoint import load
from policy.checkpoint.load import LoadedPolicy
from policy.entry import PolicyModel
from policy.model import Decoder
from policy.options import PolicyOptions
from policy.tiny import tiny_policy_config
from policy.tokenizer import Tokenizer
from rl.config import ModelConfig
from rl.tasks.repairs import repair_tokenizer

FRESH = "tiny"
_NATIVE = "agentgym"


@dataclass(frozen=True)
class StartingPolicy:
    """What a run begins with."""

    decoder: Decoder
    tokenizer: Tokenizer
    source: Path | None
    """Where the tokenizer's files lie; None: it was made here."""
    model_type: str
    """The family that checkpoints are written as."""

    @property
    def renderer(self) -> Renderer:
        """Raises TokenizerError: no chat format fits."""
        return choose_renderer(self.tokenizer)

    def write_tokenizer(self, folder: Path) -> Path:
        """Where its files lie: written there if they lie nowhere yet."""
        if self.source is not None:
            return self.source
        self.tokenizer.save(folder)
        return folder

    def serve(
        self, weights: Mapping[str, Tensor], config: ModelConfig, *, temperature: float, seed: int, version: int
    ) -> PolicyModel:
        """A model for agents on a copy of these weights. Raises RequestError: sizes that do not go together."""
        like = self.decoder.embedding.weight
        own = Decoder(self.decoder.config, dtype=like.dtype, device=like.device).requires_grad_(False).eval()
        own.load_state_dict(weights)
        loaded = LoadedPolicy(own, own.config, self.source or Path(), self.model_type)
        sampling = options(config, temperature=temperature, seed=seed)
        return PolicyModel(loaded, self.tokenizer, sampling, config.name, version=version)


def start(config: ModelConfig, *, seed: int) -> StartingPolicy:
    """Fresh or loaded. Raises ValueError (CheckpointError, TokenizerError, ConfigError), of one line."""
    device, dtype = torch_device(config.device), getattr(torch, config.dtype)
    if config.name == FRESH:
        tokenizer = repair_tokenizer()
        torch.manual_seed(seed)
        decoder = Decoder(tiny_policy_config(tokenizer.n_vocab), dtype=dtype, device=device)
        return StartingPolicy(decoder, tokenizer, None, _NATIVE)
    loaded = load(config.name, dtype=dtype, device=device)
    source = loaded.source if loaded.source.is_dir() else None
    return StartingPolicy(loaded.model, Tokenizer.load(loaded.source), source, loaded.model_type)


def torch_device(name: str) -> torch.device:
    """Raises ValueError where there is no such device."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def options(config: ModelConfig, *, temperature: float, seed: int) -> PolicyOptions:
    """How the engine is sized and sampled."""
    return PolicyOptions(
        temperature=temperature,
        max_tokens=config.max_tokens,
        seed=seed,
        window_tokens=config.window_tokens,
        cache_tokens=config.cache_tokens,
        parallel=config.parallel,
        kv_on_update=config.kv_on_update,
    )
