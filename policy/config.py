"""What a policy is made of: sizes, each layer's mixer and feed-forward, norms, positions.

Every field is a fact about the mathematics. How the numbers are computed (dtype, device, the kernels' path) is said
elsewhere, and how checkpoints spell all this is the loaders' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Mixer = Literal["softmax", "lightning", "msa"]
"""softmax: causal grouped-query attention. lightning: linear attention with decay. msa: block-sparse attention."""
FeedForward = Literal["dense", "moe"]


class ConfigError(ValueError):
    """A policy cannot be built like this; the text names the field, what was found and what is wanted."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LayerConfig(_Frozen):
    mixer: Mixer = "softmax"
    feed_forward: FeedForward = "dense"


class RopeConfig(_Frozen):
    """Rotary positions (Su et al., arXiv 2104.09864), first half of the rotated dims paired with the second half."""

    theta: float = Field(gt=0)
    rotary_dim: int = Field(gt=0)
    """How many of a head's dims turn, from the first; the rest pass unturned. Never guessed: loaders work it out."""


class LightningConfig(_Frozen):
    """Lightning attention (MiniMax-01, arXiv 2501.08313): slopes follow from heads and layer number."""

    norm_eps: float = Field(default=1e-6, gt=0)
    """Of the norm before the output gate; transformers fixes 1e-6, whatever the model's other norms have."""


class MSAConfig(_Frozen):
    """MiniMax sparse attention (arXiv 2606.13392): one index query head for each kv head, one shared index key head."""

    index_dim: int = Field(gt=0)
    block_size: int = Field(gt=0)
    """Keys in a block, in tokens."""
    top_k: int = Field(gt=0)
    """Blocks that a query sees, its own block among them."""


class MoEConfig(_Frozen):
    n_experts: int = Field(gt=0)
    top_k: int = Field(gt=0)
    """Experts for each token."""
    expert_dim: int = Field(gt=0)
    """Width between an expert's two projections."""
    router: Literal["softmax", "sigmoid"] = "softmax"
    """What turns router logits into weights; the chosen experts' weights are then divided by their sum."""
    selection_bias: bool = False
    """A bias for each expert, in the choice and not in the weights (DeepSeek-V3, arXiv 2412.19437, eq. 16)."""
    routed_scaling: float = 1.0
    """Factor on the sum of the chosen experts."""
    shared_dim: int = Field(default=0, ge=0)
    """Width of the expert that sees every token; 0: there is none."""
    aux_loss_coeff: float = Field(default=0.0, ge=0)
    """Weight of the load-balance loss (arXiv 2101.03961, eq. 4-6), where a context collects losses."""


class PostNormConfig(_Frozen):
    """MiniMax-01's residual, taken after the norm: h = norm(x), x = alpha h + beta f(h)."""

    softmax_alpha: float = 1.0
    softmax_beta: float = 1.0
    """Softmax and MSA mixers."""
    lightning_alpha: float = 1.0
    lightning_beta: float = 1.0
    feed_forward_alpha: float = 1.0
    feed_forward_beta: float = 1.0


class ClampedSwiGLU(_Frozen):
    """ "swiglu-oai": (clamp(up) + 1) * gate * sigmoid(alpha gate), with gate <= limit and -limit <= up <= limit."""

    alpha: float = 1.702
    limit: float = Field(default=7.0, gt=0)


class PolicyConfig(_Frozen):
    """One decoder. Frozen and hashable; `layers` alone says how deep it is."""

    vocab_size: int = Field(gt=0)
    embed_dim: int = Field(gt=0)
    n_heads: int = Field(gt=0)
    n_kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    ffn_dim: int = Field(gt=0)
    """Width of dense feed-forwards; experts have their own."""
    max_context: int = Field(gt=0)
    """Tokens of the longest sequence that the weights were trained for."""
    layers: tuple[LayerConfig, ...] = Field(min_length=1)
    rope: RopeConfig
    norm_eps: float = Field(gt=0)
    norm_plus_one: bool = False
    """Norms scale by weight + 1 (Gemma, MiniMax-M3)."""
    qk_norm: Literal["none", "head", "projection"] = "none"
    """RMS norm of queries and keys before RoPE: over each head, or over the whole projection. MSA's index follows."""
    qkv_bias: bool = False
    tie_embeddings: bool = False
    clamped_swiglu: ClampedSwiGLU | None = None
    """None: SiLU(gate) * up."""
    post_norm: PostNormConfig | None = None
    """None: pre-norm, x = x + f(norm(x))."""
    lightning: LightningConfig | None = None
    msa: MSAConfig | None = None
    moe: MoEConfig | None = None

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    @property
    def mixers(self) -> frozenset[Mixer]:
        return frozenset(layer.mixer for layer in self.layers)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From plain data (TOML, JSON). ConfigError: an unknown key (with the nearest known one) or a bad value."""
        try:
            # through JSON, since strict models take lists as tuples from there alone
            return cls.model_validate_json(json.dumps(data))
        except ValidationError as error:
            raise ConfigError("; ".join(_line(cls, problem) for problem in error.errors())) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads {self.n_heads} is no multiple of n_kv_heads {self.n_kv_heads}")
        if self.rope.rotary_dim % 2 or self.rope.rotary_dim > self.head_dim:
            raise ValueError(
                f"rope.rotary_dim {self.rope.rotary_dim} must be even and at most head_dim {self.head_dim}"
            )
        for name, needed in (
            ("lightning", "lightning" in self.mixers),
            ("msa", "msa" in self.mixers),
            ("moe", any(layer.feed_forward == "moe" for layer in self.layers)),
        ):
            if needed != (getattr(self, name) is not None):
                problem = "a layer needs it and it is missing" if needed else "it is given and no layer uses it"
                raise ValueError(f"{name}: {problem}")
        if self.msa and self.rope.rotary_dim > self.msa.index_dim:
            raise ValueError(f"msa.index_dim {self.msa.index_dim} is less than rope.rotary_dim {self.rope.rotary_dim}")
        if self.moe and self.moe.top_k > self.moe.n_experts:
            raise ValueError(f"moe.top_k {self.moe.top_k} is more than moe.n_experts {self.moe.n_experts}")
        return self


def _line(model: type[BaseModel], problem: Any) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{path}: {problem['msg']}" if path else str(problem["msg"])
    close = get_close_matches(str(problem["loc"][-1]), _keys(model), n=1)
    return f'{path}: unknown key (nearest known key: "{close[0]}")' if close else f"{path}: unknown key"


def _keys(model: type[BaseModel]) -> list[str]:
    nested = (LayerConfig, RopeConfig, LightningConfig, MSAConfig, MoEConfig, PostNormConfig, ClampedSwiGLU)
    return [key for config in (model, *nested) for key in config.model_fields]
