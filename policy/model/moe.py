"""Mixture of experts: a router picks top_k experts for each token; tokens, sorted by expert, run through in groups."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.config import PolicyConfig
from policy.model.context import Context
from policy.model.mlp import MLP, gated

# T tokens, X experts, k experts a token, F expert width, E embedding


class MoE(nn.Module):
    def __init__(
        self, config: PolicyConfig, layer: int, *, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        assert config.moe is not None
        self.layer, self.config, self.clamped = layer, config.moe, config.clamped_swiglu
        X, width, E = config.moe.n_experts, config.moe.expert_dim, config.embed_dim
        self.router = nn.Linear(E, X, bias=False, dtype=dtype, device=device)
        # no gradient reaches it: who balances experts with it moves it by hand
        self.selection_bias_X: Tensor | None
        bias_X = torch.zeros(X, dtype=torch.float32, device=device) if config.moe.selection_bias else None
        self.register_buffer("selection_bias_X", bias_X)
        self.gate_up_XFE = nn.Parameter(torch.empty(X, 2 * width, E, dtype=dtype, device=device))
        self.down_XEF = nn.Parameter(torch.empty(X, E, width, dtype=dtype, device=device))
        shared = config.moe.shared_dim
        self.shared = MLP(E, shared, self.clamped, dtype=dtype, device=device) if shared else None

    def forward(self, x_TE: Tensor, context: Context) -> Tensor:
        """[T, E] -> [T, E]."""
        logits_TX = self._router_logits(x_TE)
        scores_TX = logits_TX.softmax(-1) if self.config.router == "softmax" else logits_TX.sigmoid()
        ids_Tk = context.replay_experts(self.layer)
        if ids_Tk is None:
            ids_Tk = choose(scores_TX, self.selection_bias_X, self.config.top_k)
        context.record_experts(self.layer, ids_Tk)
        # from the scores, also when the choice is replayed: the router gets its gradient here
        weights_Tk = scores_TX.gather(1, ids_Tk)
        weights_Tk = weights_Tk / weights_Tk.sum(-1, keepdim=True) * self.config.routed_scaling
        if context.losses is not None and self.config.aux_loss_coeff:
            loss = balance_loss(scores_TX, ids_Tk)
            context.losses[f"router/{self.layer}"] = self.config.aux_loss_coeff * loss
        out_TE = self._experts(x_TE, ids_Tk, weights_Tk)
        return out_TE if self.shared is None else out_TE + self.shared(x_TE, context)

    def _router_logits(self, x_TE: Tensor) -> Tensor:
        """[T, E] -> [T, X], never less than fp32: rounding would choose other experts."""
        wide = torch.promote_types(x_TE.dtype, torch.float32)
        logits_TX: Tensor
        if x_TE.dtype == wide:
            logits_TX = self.router(x_TE)
        else:
            logits_TX = F.linear(x_TE.to(wide), self.router.weight.to(wide))
        return logits_TX

    def _experts(self, x_TE: Tensor, ids_Tk: Tensor, weights_Tk: Tensor) -> Tensor:
        k = self.config.top_k
        order = ids_Tk.flatten().argsort(stable=True)
        tokens = order // k
        counts_X = torch.bincount(ids_Tk.flatten(), minlength=self.config.n_experts)
        y = grouped_linear(x_TE[tokens], self.gate_up_XFE, counts_X)
        y = grouped_linear(gated(y, self.clamped), self.down_XEF, counts_X)
        # back in token order, each token's k rows are summed in fp32 and in a fixed order
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        y_TkE = y[back].view(*ids_Tk.shape, -1)
        return torch.einsum("tke,tk->te", y_TkE.to(weights_Tk.dtype), weights_Tk).to(x_TE.dtype)


def choose(scores_TX: Tensor, bias_X: Tensor | None, top_k: int) -> Tensor:
    """The experts of each token, int64 [T, k]: highest score first, the bias counted in."""
    scores_TX = scores_TX.detach()
    return (scores_TX if bias_X is None else scores_TX + bias_X).topk(top_k, -1).indices


def grouped_linear(rows: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> Tensor:
    """Rows [R, I], sorted by expert, counts_X[x] of them for expert x -> [R, O], R > 0."""
    if rows.is_cuda and rows.dtype != torch.float64:
        ends_X = counts_X.cumsum(0).to(torch.int32)
        return F.grouped_mm(rows, weight_XOI.transpose(1, 2), offs=ends_X)
    counts = counts_X.tolist()
    used = [(x, part) for x, part in enumerate(torch.split(rows, counts)) if counts[x]]
    # the gradient of one unbind is one stack; that of each weight_XOI[x] would be as large as all experts
    experts = weight_XOI.unbind() if torch.is_grad_enabled() else weight_XOI
    return torch.cat([F.linear(part, experts[x]) for x, part in used])


def balance_loss(scores_TX: Tensor, ids_Tk: Tensor) -> Tensor:
    """Switch Transformer's (arXiv 2101.03961, eq. 4), X sum_x f_x P_x; equal loads give k.

    f_x: how often a token chooses expert x. P_x: its mean probability, sigmoid scores being divided by their sum.
    """
    X = scores_TX.shape[1]
    f_X = torch.bincount(ids_Tk.flatten(), minlength=X).to(scores_TX.dtype) / len(ids_Tk)
    p_X = (scores_TX / scores_TX.sum(-1, keepdim=True)).mean(0)
    return X * (f_X * p_X).sum()
