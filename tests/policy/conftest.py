"""Checkpoints of each family, saved once by transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.policy.families import hf_model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """family -> the folder in which transformers saved its tiny model, fp32."""
    folders: dict[str, Path] = {}

    def saved(family: str) -> Path:
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            hf_model(family).save_pretrained(folders[family])
        return folders[family]

    return saved
