"""Our own layout, for mixtures that no family on the hub can say: the config and the weights as they are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.checkpoint.layout import Keys, Piece
from policy.config import PolicyConfig
from policy.model import Decoder


class NativeLayout:
    """Matches `Layout`."""

    model_types: tuple[str, ...] = ("agentgym",)

    def read_config(self, keys: Keys) -> PolicyConfig:
        return PolicyConfig.of(keys("policy"))

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        return {"model_type": "agentgym", "policy": config.model_dump(mode="json", exclude_defaults=True)}

    def canonical(self, name: str) -> str | None:
        return name

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        for name in Decoder(config, device="meta").state_dict():
            yield Piece(name, name)
