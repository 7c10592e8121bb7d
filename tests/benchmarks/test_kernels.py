"""What the kernels' benchmark measures with, and that its CPU rows run and say which path ran."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from benchmarks.kernels import logprob
from benchmarks.kernels.lightning import _check_same
from benchmarks.kernels.measure import cpu_ms, peak_bytes
from benchmarks.kernels.plot import log_log


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_peak_bytes_counts_what_is_held_at_once() -> None:
    def one_after_the_other() -> None:
        for _ in range(3):
            torch.zeros(1 << 20)

    assert peak_bytes(one_after_the_other, "cpu") == 4 << 20
    assert peak_bytes(lambda: [torch.zeros(1 << 20) for _ in range(3)], "cpu") == 12 << 20


@pytest.mark.usefixtures("one_thread")
def test_cpu_ms_warms_up_unless_told_to_run_once() -> None:
    calls: list[int] = []
    assert cpu_ms(lambda: calls.append(1), 1) >= 0
    assert len(calls) == 1
    cpu_ms(lambda: calls.append(1), 3)
    assert len(calls) == 1 + 4


def test_a_chart_is_an_svg_with_its_lines(tmp_path: Path) -> None:
    to = tmp_path / "new" / "chart.svg"
    log_log(to, "title", "tokens", "ms", {"ours": [(1024, 2.0), (2048, 4.0)], "theirs": [(1024, 3.0), (2048, 12.0)]})
    chart = ElementTree.parse(to).getroot()
    texts = [element.text for element in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert {"title", "ours", "theirs", "1k", "2k", "1", "10", "100"} <= set(texts)
    assert len(list(chart.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_a_peer_that_computes_something_else_ends_the_run() -> None:
    with pytest.raises(SystemExit, match="differs from fla's"):
        _check_same(torch.ones(3), torch.ones(3) * 1.1, "T = 3")


@pytest.mark.usefixtures("one_thread")
def test_rows_name_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = logprob._inputs
    monkeypatch.setattr(logprob, "_inputs", lambda T, V, E, *rest: inputs(8, 32, 16, *rest))
    time, memory = logprob.cpu_rows(quick=True)
    assert "(chunked)" in time.name
    assert (time.unit, memory.unit) == ("ms", "MiB")
    assert time.peer_value is not None
