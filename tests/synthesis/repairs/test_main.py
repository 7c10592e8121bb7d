"""Repairs written out from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.synthesis.repairs.__main__ import main
from agentgym.task import find_tasks


def test_same_seed_same_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(folder: str) -> int:
        argv = ["repairs", "2", str(tmp_path / folder), "--split", "unseen", "--seed", "3"]
        monkeypatch.setattr("sys.argv", argv)
        return main()

    assert write("one") == write("two") == 0
    first, second = (find_tasks(str(tmp_path / folder)) for folder in ("one", "two"))
    assert [task.checksum for task in first] == [task.checksum for task in second]
    assert [task.metadata["novelty"] for task in first] == ["unseen", "unseen"]
    capsys.readouterr()
    assert write("one") == 2
    assert "found something there already" in capsys.readouterr().err
