"""`agentgym gateway`: one session of the gateway for an agent outside every sandbox."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Annotated

import typer

from agentgym.cli.console import note, show_logs, stderr
from agentgym.cli.options import ModelOptions, read_options
from agentgym.entry import make_model
from agentgym.errors import UsageError

HOST = "127.0.0.1"


def gateway(
    model: Annotated[str, typer.Option(metavar="SPEC", help="KIND:REST, such as policy:smollm2.", show_default=False)],
    option: ModelOptions = None,
    port: Annotated[int, typer.Option(metavar="N", help="0: a free one.", min=0, max=65535)] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record every call here, as in RUN.calls.jsonl.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Let any agent on this machine ask a model, and record what it asked.

    Prints one line, the base URL and the key; OpenAI's clients want /v1 after the URL. Ends with Ctrl-C, exit code 0;
    2: an option is wrong.
    """
    from agentgym.gateway import Gateway, Journal

    show_logs(stderr())
    asked = make_model(model, read_options(option))
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(contextlib.closing(Journal(out))) if out is not None else None
        served = stack.enter_context(Gateway(journal))
        try:
            session = served.open(asked)
        except OSError as error:
            raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error
        try:
            bound = served.server().listen(HOST, port)
        except OSError as error:
            raise UsageError(f"--port {port}: cannot be listened on: {error.strerror}") from error
        base_url = f"http://{HOST}:{bound}"
        if as_json:
            print(json.dumps({"base_url": base_url, "key": session.key, "model": session.name}), flush=True)
        else:
            print(f"{base_url} {session.key}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        note(f"{len(session.calls)} calls" + (f", recorded in {out}" if out is not None else ""))
