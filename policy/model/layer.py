"""One layer: a mixer, a feed-forward, and how both join the residual stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policy.config import PolicyConfig, PostNormConfig
from policy.model.context import Context
from policy.model.mlp import MLP
from policy.model.moe import MoE
from policy.model.norm import RMSNorm
from policy.model.rope import Rotation
from policy.model.softmax import Softmax


class Layer(nn.Module):
    def __init__(
        self, config: PolicyConfig, layer: int, *, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        kinds = config.layers[layer]

        def norm() -> RMSNorm:
            plus_one = config.norm_plus_one
            return RMSNorm(config.embed_dim, config.norm_eps, plus_one=plus_one, dtype=dtype, device=device)

        self.mixer_norm, self.feed_forward_norm = norm(), norm()
        self.mixer = _mixer(config, layer)(config, layer, dtype=dtype, device=device)
        self.feed_forward: MLP | MoE
        if kinds.feed_forward == "moe":
            self.feed_forward = MoE(config, layer, dtype=dtype, device=device)
        else:
            dense = MLP(config.embed_dim, config.ffn_dim, config.clamped_swiglu, dtype=dtype, device=device)
            self.feed_forward = dense
        self.post_norm = _factors(config.post_norm, kinds.mixer)

    def forward(self, x_TE: Tensor, rotation: Rotation, context: Context) -> Tensor:
        """[T, E] -> [T, E]."""
        h_TE: Tensor = self.mixer_norm(x_TE)
        mixed_TE: Tensor = self.mixer(h_TE, rotation, context)
        if self.post_norm is None:
            x_TE = x_TE + mixed_TE
            fed_TE: Tensor = self.feed_forward(self.feed_forward_norm(x_TE), context)
            return x_TE + fed_TE
        mixer_alpha, mixer_beta, alpha, beta = self.post_norm
        h_TE = self.feed_forward_norm(mixer_alpha * h_TE + mixer_beta * mixed_TE)
        fed_TE = self.feed_forward(h_TE, context)
        return alpha * h_TE + beta * fed_TE


def _mixer(config: PolicyConfig, layer: int) -> type[nn.Module]:
    kind = config.layers[layer].mixer
    if kind == "softmax":
        return Softmax
    # the others bring kernels in, which a plain decoder does without
    if kind == "lightning":
        from policy.model.lightning import Lightning

        return Lightning
    from policy.model.msa import MSA

    return MSA


def _factors(post_norm: PostNormConfig | None, mixer: str) -> tuple[float, float, float, float] | None:
    """alpha and beta of the mixer, then of the feed-forward."""
    if post_norm is None:
        return None
    ours = (
        (post_norm.lightning_alpha, post_norm.lightning_beta)
        if mixer == "lightning"
        else (post_norm.softmax_alpha, post_norm.softmax_beta)
    )
    return *ours, post_norm.feed_forward_alpha, post_norm.feed_forward_beta
