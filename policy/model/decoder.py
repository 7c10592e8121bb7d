"""The decoder: token ids to hidden states to logits. One forward trains and serves; a Context makes the difference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from policy.config import PolicyConfig
from policy.model.context import Context
from policy.model.layer import Layer
from policy.model.norm import RMSNorm
from policy.model.rope import rotation

# T tokens, E embedding, V vocabulary


class Decoder(nn.Module):
    """Weights are random (normal, std 0.02) until a checkpoint is loaded; on the meta device they have no values."""

    def __init__(
        self,
        config: PolicyConfig,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.checkpoint_layers = False
        """Activation checkpointing: keep only each layer's input for the backward pass and compute the rest again."""
        self.embedding = nn.Embedding(config.vocab_size, config.embed_dim, dtype=dtype, device=device)
        self.layers = nn.ModuleList(Layer(config, i, dtype=dtype, device=device) for i in range(config.n_layers))
        plus_one = config.norm_plus_one
        self.norm = RMSNorm(config.embed_dim, config.norm_eps, plus_one=plus_one, dtype=dtype, device=device)
        self.head: nn.Linear | None = None
        if not config.tie_embeddings:
            self.head = nn.Linear(config.embed_dim, config.vocab_size, bias=False, dtype=dtype, device=device)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def head_weight(self) -> Tensor:
        """[V, E], the embedding itself where the two are tied."""
        return self.embedding.weight if self.head is None else self.head.weight

    def forward(self, tokens_T: Tensor, context: Context) -> Tensor:
        """int64 [T] -> hidden states [T, E] after the final norm, in the weights' dtype.

        T is one flat axis: how it falls into sequences is the context's matter. There is no padding.
        ValueError: the context is for another number of tokens.
        """
        if tokens_T.shape != context.positions_T.shape:
            found, wanted = list(tokens_T.shape), list(context.positions_T.shape)
            raise ValueError(f"tokens have shape {found}, the context's positions {wanted}: both must be one flat [T]")
        x_TE = self.embedding(tokens_T)
        turn = rotation(context.positions_T, self.config.rope, x_TE.dtype)
        for layer in self.layers:
            if self.checkpoint_layers and torch.is_grad_enabled():
                x_TE = checkpoint(layer, x_TE, turn, context, use_reentrant=False)
            else:
                x_TE = layer(x_TE, turn, context)
        hidden_TE: Tensor = self.norm(x_TE)
        return hidden_TE

    def logits(self, hidden_TE: Tensor) -> Tensor:
        """[T, E] -> [T, V], computed in fp32 (fp64 stays fp64) whatever the weights' dtype."""
        wide = torch.promote_types(hidden_TE.dtype, torch.float32)
        return F.linear(hidden_TE.to(wide), self.head_weight.to(wide))
