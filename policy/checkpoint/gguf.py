"""Llama models in a GGUF file, dequantised tensor by tensor. The form in which SmolLM2 comes as a Python package."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from policy.checkpoint.errors import CheckpointError
from policy.config import PolicyConfig
from policy.gguf_metadata import MetadataError, StoredTensor, read_head

_MODEL = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class GGUF:
    """Implements Source, under the names of the Llama layout."""

    def __init__(self, file: Path) -> None:
        """CheckpointError: no such file, no GGUF, or damaged."""
        self._file = file
        try:
            head = read_head(file)
        except MetadataError as error:
            raise CheckpointError(str(error)) from None
        self._metadata = head.metadata
        self._tensors = {tensor.name: tensor for tensor in head.tensors}
        for tensor in head.tensors:
            if tensor.start + math.prod(self._stored_shape(tensor)) > file.stat().st_size:
                raise CheckpointError(
                    f"{file}: damaged or cut short ({tensor.name} ends behind its end); fetch it again"
                )
        if (found := self._field("general.architecture")) != "llama":
            raise CheckpointError(f"{file}: architecture {found!r}, and only 'llama' can be read from GGUF")

    @cached_property
    def config(self) -> PolicyConfig:
        """CheckpointError: a key is missing, or asks for something that we do not compute."""
        n_heads, embed_dim = self._field("llama.attention.head_count"), self._field("llama.embedding_length")
        head_dim = self._field("llama.attention.key_length", default=embed_dim // n_heads)
        if self._field("llama.rope.scaling.type", default="none") != "none" or "rope_freqs.weight" in self._tensors:
            raise CheckpointError(f"{self._file}: RoPE is scaled, and only plain RoPE can be computed")
        return PolicyConfig.of(
            {
                "vocab_size": self._tensor("token_embd.weight").shape[0],
                "embed_dim": embed_dim,
                "n_heads": n_heads,
                "n_kv_heads": self._field("llama.attention.head_count_kv", default=n_heads),
                "head_dim": head_dim,
                "ffn_dim": self._field("llama.feed_forward_length"),
                "max_context": self._field("llama.context_length"),
                "layers": [{}] * self._field("llama.block_count"),
                "rope": {
                    "theta": self._field("llama.rope.freq_base", default=10000.0),
                    "rotary_dim": self._field("llama.rope.dimension_count", default=head_dim),
                },
                # stored in fp32: 9.999999747378752e-06 was written as 1e-5
                "norm_eps": float(f"{self._field('llama.attention.layer_norm_rms_epsilon'):.7g}"),
                "tie_embeddings": "output.weight" not in self._tensors,
            }
        )

    @property
    def names(self) -> list[str]:
        return [_llama_name(name) for name in self._tensors]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        heads = {"attn_q": self.config.n_heads, "attn_k": self.config.n_kv_heads}
        mapped = np.memmap(self._file, np.uint8, mode="r")
        for name, stored in self._tensors.items():
            tensor = self._dequantised(stored, mapped)
            if n_heads := heads.get(name.split(".")[-2]):
                tensor = _halves(tensor, n_heads)
            yield _llama_name(name), tensor

    def _dequantised(self, stored: StoredTensor, mapped: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
        try:
            shape = self._stored_shape(stored)
            data = mapped[stored.start : stored.start + math.prod(shape)].reshape(shape)
            values = gguf.dequantize(data, gguf.GGMLQuantizationType(stored.kind))
        except (NotImplementedError, ValueError) as error:
            raise CheckpointError(f"{self._file}: {stored.name} cannot be dequantised ({error})") from None
        return torch.from_numpy(np.require(values, np.float32, "W"))

    def _stored_shape(self, stored: StoredTensor) -> tuple[int, ...]:
        """In bytes, rows last."""
        try:
            items, n_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(stored.kind)]
        except (KeyError, ValueError):
            raise CheckpointError(f"{self._file}: {stored.name} has the unknown quantisation {stored.kind}") from None
        return (*stored.shape[:-1], stored.shape[-1] // items * n_bytes)

    def _tensor(self, name: str) -> StoredTensor:
        if name not in self._tensors:
            raise CheckpointError(f"{self._file}: {name} is missing")
        return self._tensors[name]

    def _field(self, key: str, default: Any = None) -> Any:
        value = self._metadata.get(key, default)
        if value is None:
            raise CheckpointError(f"{self._file}: {key} is missing")
        return value


def _llama_name(name: str) -> str:
    """An unknown name stays as it is, and is then reported as unknown."""
    if name in _MODEL:
        return _MODEL[name]
    match name.split("."):
        case ["blk", layer, part, "weight"] if part in _LAYER:
            return f"model.layers.{layer}.{_LAYER[part]}.weight"
    return name


def _halves(weight: Tensor, n_heads: int) -> Tensor:
    """Undoes llama.cpp's order of q and k rows, in which dims that turn together are neighbours: [HD, E] -> [HD, E]."""
    return weight.view(n_heads, -1, 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)
