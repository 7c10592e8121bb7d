"""`agentgym view`: the options; the pages are the viewer's."""

from __future__ import annotations

import importlib.util
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from agentgym.errors import UsageError


def view(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with *.jsonl files, however deep.", show_default=False)
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes any that is free.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Show trajectories as web pages, to this machine alone, live while a run goes on; Ctrl-C ends it.

    Exit code 0; 2: there is no such folder, or the port is taken.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: found {'a file' if folder.exists() else 'nothing'}, wanted a folder with *.jsonl files"
        )
    if importlib.util.find_spec("jinja2") is None:
        raise UsageError("the viewer needs jinja2, which is not installed: pip install 'agentgym[web]'")
    from agentgym.viewer.server import HOST, listen, serve

    listening = listen(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    print(address, flush=True)
    if open_browser:
        webbrowser.open(address)
    serve(folder.resolve(), listening)
