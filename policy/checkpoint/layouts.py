"""All layouts, by what config.json calls the model."""

from __future__ import annotations

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.layout import Keys, Layout
from policy.checkpoint.llama import LlamaLayout
from policy.checkpoint.minimax import MiniMaxLayout
from policy.checkpoint.minimax_m2 import MiniMaxM2Layout
from policy.checkpoint.minimax_m3 import MiniMaxM3Layout
from policy.checkpoint.native import NativeLayout

_ALL: tuple[Layout, ...] = (
    LlamaLayout("llama"),
    LlamaLayout("qwen2", qkv_bias=True),
    LlamaLayout("qwen3", head_norm=True),
    MiniMaxLayout(),
    MiniMaxM2Layout(),
    MiniMaxM3Layout(),
    NativeLayout(),
)
LAYOUTS: dict[str, Layout] = {model_type: layout for layout in _ALL for model_type in layout.model_types}


def layout_of(keys: Keys) -> Layout:
    """CheckpointError: config.json names a model that is not ours."""
    model_type = keys("model_type")
    if model_type not in LAYOUTS:
        raise CheckpointError(f"{keys.file}: model_type is {model_type!r}, and only {', '.join(LAYOUTS)} can be read")
    return LAYOUTS[model_type]
