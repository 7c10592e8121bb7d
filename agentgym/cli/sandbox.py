"""`agentgym sandbox`: tidy up what dead processes left."""

from __future__ import annotations

from typing import Annotated

import typer

from agentgym.cli.console import note, warn
from agentgym.errors import SandboxError

app = typer.Typer(help="Tidy up sandboxes and images.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Tidy up sandboxes and images."""


@app.command()
def prune(
    images: Annotated[bool, typer.Option("--images", help="Remove the built images as well.")] = False,
    sandbox: Annotated[
        str | None, typer.Option(metavar="BACKEND", help="Only of this backend: namespaces or docker; else of all.")
    ] = None,
) -> None:
    """Remove what dead owners left behind, one line each on stdout."""
    from agentgym import backends

    n_removed = 0
    for name in [sandbox] if sandbox else backends.NAMES:
        backend = backends.make_backend(name)
        try:
            removed = backend.prune(images=images)
        except SandboxError as error:
            if sandbox:
                raise
            warn(f"{name}: {error}")
            continue
        for line in removed:
            print(f"{name}: {line}")
        n_removed += len(removed)
    note(f"{n_removed} removed" if n_removed else "nothing to remove")
