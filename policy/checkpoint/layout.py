"""A layout says how one family of models lies on disk: its config keys, and which tensor is which part of our weights.

Our weights are fused (queries, keys and values in one, gate and up in one, all experts in one), the files' are not. A
layout lists pieces; reading copies each tensor into its piece of a weight, writing copies each piece out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from policy.checkpoint.errors import CheckpointError
from policy.config import PolicyConfig

Index = tuple[int | slice, ...]


@dataclass(frozen=True)
class Piece:
    name: str
    """Of the tensor on disk."""
    parameter: str
    """Of our weight."""
    index: Index = ()
    """Which part of it; (): all."""


class Layout(Protocol):
    model_types: tuple[str, ...]
    """What config.json may call it; the first is what we write."""

    def read_config(self, keys: Keys) -> PolicyConfig:
        """CheckpointError: a key is missing, or asks for something that we do not compute."""
        ...

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        """config.json, as transformers reads it. CheckpointError: the family has no way to say this config."""
        ...

    def canonical(self, name: str) -> str | None:
        """The name in `pieces` of a tensor on disk; None: it is known and not wanted (a buffer, another tower)."""
        ...

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        """All tensors of a checkpoint. fused: in the spelling that transformers saves, where a family has two."""
        ...


class Keys:
    """config.json with errors that name it. Each key may have several spellings; null counts as missing."""

    def __init__(self, data: Mapping[str, Any], file: str) -> None:
        self.data, self.file = data, file

    def __call__(self, *spellings: str) -> Any:
        """CheckpointError: none of the spellings is there."""
        value = self.get(*spellings)
        if value is None:
            raise CheckpointError(f"{self.file}: {' or '.join(spellings)} is missing")
        return value

    def get(self, *spellings: str, default: Any = None) -> Any:
        for spelling in spellings:
            if (value := self.data.get(spelling)) is not None:
                return value
        return default

    def require(self, key: str, allowed: Sequence[Any]) -> None:
        """CheckpointError: the key is there and asks for something that we do not compute."""
        value = self.get(key, default=allowed[0])
        if value not in allowed:
            wanted = " or ".join(repr(choice) for choice in allowed)
            raise CheckpointError(f"{self.file}: {key} is {value!r}, and only {wanted} can be computed")

    def rope(self, head_dim: int) -> dict[str, Any]:
        """theta and rotary_dim, from any of the spellings that exist.

        A partial_rotary_factor wins over a rotary_dim: transformers fills in a rotary_dim that nobody asked for.
        """
        rope = self.get("rope_parameters", default={})
        scaling = self.get("rope_scaling", default={})
        kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
        if kind != "default":
            raise CheckpointError(f"{self.file}: RoPE of type {kind!r}, and only 'default' can be computed")
        theta = rope.get("rope_theta") or self("rope_theta")
        factor = rope.get("partial_rotary_factor") or self.get("partial_rotary_factor")
        rotary_dim = int(head_dim * factor) if factor else self.get("rotary_dim", default=head_dim)
        return {"theta": float(theta), "rotary_dim": rotary_dim}


def write_rope(config: PolicyConfig) -> dict[str, Any]:
    """The rope keys of config.json, in the newer and the older spelling."""
    rope = config.rope
    parameters: dict[str, Any] = {"rope_type": "default", "rope_theta": rope.theta}
    if rope.rotary_dim != config.head_dim:
        parameters["partial_rotary_factor"] = rope.rotary_dim / config.head_dim
    return {"rope_parameters": parameters, "rope_theta": rope.theta, "rotary_dim": rope.rotary_dim}


def rows(start: int, count: int) -> Index:
    return (slice(start, start + count),)


def shared_pieces(config: PolicyConfig) -> Iterator[Piece]:
    """What every family spells alike: the ends of the model, and each layer's two norms."""
    yield Piece("model.embed_tokens.weight", "embedding.weight")
    yield Piece("model.norm.weight", "norm.weight")
    if not config.tie_embeddings:
        yield Piece("lm_head.weight", "head.weight")
    for i in range(config.n_layers):
        yield Piece(f"model.layers.{i}.input_layernorm.weight", f"layers.{i}.mixer_norm.weight")
        yield Piece(f"model.layers.{i}.post_attention_layernorm.weight", f"layers.{i}.feed_forward_norm.weight")


def attention_pieces(config: PolicyConfig, layer: int) -> Iterator[Piece]:
    """A softmax or MSA mixer without its index branch."""
    disk, ours = f"model.layers.{layer}.self_attn", f"layers.{layer}.mixer"
    q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    for kind in ("weight", "bias") if config.qkv_bias else ("weight",):
        yield Piece(f"{disk}.q_proj.{kind}", f"{ours}.qkv.proj.{kind}", rows(0, q))
        yield Piece(f"{disk}.k_proj.{kind}", f"{ours}.qkv.proj.{kind}", rows(q, kv))
        yield Piece(f"{disk}.v_proj.{kind}", f"{ours}.qkv.proj.{kind}", rows(q + kv, kv))
    yield Piece(f"{disk}.o_proj.weight", f"{ours}.out.weight")
    if config.qk_norm != "none":
        yield Piece(f"{disk}.q_norm.weight", f"{ours}.qkv.q_norm.weight")
        yield Piece(f"{disk}.k_norm.weight", f"{ours}.qkv.k_norm.weight")


def mlp_pieces(disk: str, ours: str, width: int) -> Iterator[Piece]:
    """A dense feed-forward with gate and up apart."""
    yield Piece(f"{disk}.gate_proj.weight", f"{ours}.gate_up.weight", rows(0, width))
    yield Piece(f"{disk}.up_proj.weight", f"{ours}.gate_up.weight", rows(width, width))
    yield Piece(f"{disk}.down_proj.weight", f"{ours}.down.weight")


def expert_pieces(config: PolicyConfig, disk: str, ours: str) -> Iterator[Piece]:
    """Experts one by one: w1 is the gate, w3 the up and w2 the down projection."""
    assert config.moe is not None
    width = config.moe.expert_dim
    yield Piece(f"{disk}.gate.weight", f"{ours}.router.weight")
    for x in range(config.moe.n_experts):
        yield Piece(f"{disk}.experts.{x}.w1.weight", f"{ours}.gate_up_XFE", (x, slice(0, width)))
        yield Piece(f"{disk}.experts.{x}.w3.weight", f"{ours}.gate_up_XFE", (x, slice(width, 2 * width)))
        yield Piece(f"{disk}.experts.{x}.w2.weight", f"{ours}.down_XEF", (x,))
