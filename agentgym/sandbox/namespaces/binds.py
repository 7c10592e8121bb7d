"""Folders of the host that a sandbox sees read-only. Runs in the supervisor, before anything runs inside."""

from __future__ import annotations

import os
from typing import Any

from agentgym.sandbox.namespaces import linux


def add_points(layers: list[dict[str, Any]], binds: list[list[str]], folders: list[str]) -> None:
    """Give every layer that something will be mounted on the mount points that it lacks, as the lowest of its `lowers`:
    what nobody in the sandbox wrote is no change of its files, and what the image has there is seen as before.

    folders: one for each layer, to make them in.
    """
    for _, target in binds:
        index = max(
            (index for index, layer in enumerate(layers) if f"{target}/".startswith(_prefix(layer))),
            key=lambda index: len(layers[index]["target"]),
        )
        layer, folder = layers[index], folders[index]
        os.makedirs(os.path.join(folder, target[len(_prefix(layer)) :]), exist_ok=True)
        if layer["lowers"][-1] != folder:
            layer["lowers"].append(folder)


def bind_all(binds: list[list[str]], root: str) -> None:
    """Mount them below `root`, in their order."""
    for source, target in binds:
        linux.bind_read_only(source, root, target)


def bind_resolver(root: str) -> None:
    """The host's name servers; nothing where a snapshot has no place for it: the agent took it away, and is welcome."""
    try:
        linux.bind_read_only("/etc/resolv.conf", root, "/etc/resolv.conf")
    except OSError:
        pass


def _prefix(layer: dict[str, Any]) -> str:
    return str(layer["target"]).rstrip("/") + "/"
