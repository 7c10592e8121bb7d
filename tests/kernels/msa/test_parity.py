"""The sparse attention of transformers' MiniMax-M3 text model, its projections taken over."""

from __future__ import annotations

import pytest
import torch
from transformers.models.minimax_m3_vl.configuration_minimax_m3_vl import MiniMaxM3VLTextConfig
from transformers.models.minimax_m3_vl.modeling_minimax_m3_vl import (
    MiniMaxM3VLAttention,
    MiniMaxM3VLRotaryEmbedding,
    apply_rotary_pos_emb,
)

from kernels.msa import msa_attention
from tests.kernels.assertions import assert_close

B, T, HIDDEN, HEADS, KV_HEADS, DIM, BLOCK, TOP_K = 2, 61, 32, 4, 2, 16, 8, 3


@pytest.fixture(scope="module")
def attention():
    config = MiniMaxM3VLTextConfig(
        vocab_size=64, hidden_size=HIDDEN, num_hidden_layers=1, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
        head_dim=DIM, rotary_dim=DIM // 2, index_n_heads=KV_HEADS, index_head_dim=DIM, index_block_size=BLOCK,
        index_topk_blocks=TOP_K, index_local_blocks=1, layer_types=["minimax_m3_sparse"], mlp_layer_types=["dense"],
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5},
    )  # fmt: skip
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    module = MiniMaxM3VLAttention(config, 0).double().eval()
    for name, parameter in module.named_parameters():
        torch.nn.init.normal_(parameter, std=0.5 if "norm" in name else 0.3)
    return module, MiniMaxM3VLRotaryEmbedding(config).double()


@pytest.mark.parametrize("path", ["naive", "chunked"])
def test_outputs_and_choices(attention, path):
    module, rotary = attention
    torch.manual_seed(1)
    hidden = torch.randn(B, T, HIDDEN, dtype=torch.float64)
    positions = torch.arange(T)[None].expand(B, T)
    cos, sin = (x.double() for x in rotary(hidden, positions))
    mask = torch.full((T, T), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    with torch.no_grad():
        want, _ = module(hidden, (cos, sin), mask, position_ids=positions)
        their_choice = module.indexer(hidden, (cos, sin), None, positions)

        def heads(projection, norm, dim):
            return norm(projection(hidden).view(B, T, -1, dim)).transpose(1, 2)

        q, k = apply_rotary_pos_emb(
            heads(module.q_proj, module.q_norm, DIM), heads(module.k_proj, module.k_norm, DIM), cos, sin
        )
        indexer = module.indexer
        index_q, index_k = apply_rotary_pos_emb(
            heads(indexer.q_proj, indexer.q_norm, DIM), heads(indexer.k_proj, indexer.k_norm, DIM), cos, sin
        )
        v = module.v_proj(hidden).view(B, T, -1, DIM)
        out = msa_attention(
            *(x.transpose(1, 2) for x in (q, k)), v, index_q.transpose(1, 2), index_k[:, 0],
            block_size=BLOCK, top_k=TOP_K, path=path,
        )  # fmt: skip
        got = module.o_proj(out.o.flatten(2))
    theirs = their_choice.transpose(1, 2).int()
    # theirs come by score
    assert torch.equal(out.block_indices.sort(-1).values, theirs.sort(-1).values)
    assert (theirs[:, -1] != out.block_indices[:, -1]).any()
    assert_close("attention", want, got, 1e-6)
