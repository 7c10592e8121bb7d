"""`agentgym view` as a person runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from agentgym.cli.main import call
from agentgym.viewer.server import listen
from tests.viewer.episodes import rich, write


def test_it_prints_one_line_shows_pages_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", rich())
    command = [sys.executable, "-m", "agentgym", "view", str(tmp_path), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as viewer:
        assert viewer.stdout is not None
        line = viewer.stdout.readline()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", line)
        assert "a.jsonl" in httpx.get(line.strip()).text
        viewer.send_signal(signal.SIGINT)
        out, err = viewer.communicate(timeout=20)
    assert (viewer.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(("name", "said"), [("missing", "found nothing"), ("file", "found a file")])
def test_what_is_no_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (tmp_path / "file").touch()
    assert call(["view", str(tmp_path / name), "--no-open"]) == 2
    streams = capsys.readouterr()
    assert streams.err == f"error: {tmp_path / name}: {said}, wanted a folder with *.jsonl files\n"
    assert streams.out == ""


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listen(0) as taken:
        assert call(["view", str(tmp_path), "--no-open", "--port", str(taken.getsockname()[1])]) == 2
    streams = capsys.readouterr()
    assert "Address already in use; name another with --port" in streams.err
    assert streams.err.count("\n") == 1


def test_without_its_templates_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert call(["view", str(tmp_path), "--no-open"]) == 2
    assert (
        capsys.readouterr().err
        == "error: the viewer needs jinja2, which is not installed: pip install 'agentgym[web]'\n"
    )


def test_the_package_alone_loads_neither_server_nor_templates() -> None:
    code = "import sys, agentgym, agentgym.cli.main; print(sorted({'aiohttp', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
