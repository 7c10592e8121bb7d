"""All folders of the suite: written anew, or compared with what the grammar draws today."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.folder import config, contents, write_draft
from agentgym.toml import dump_config


def write_suite(drafts: Sequence[Draft], folder: Path) -> None:
    """Replace the task folders below `folder` by those of the drafts. Raises TaskError."""
    for old in folder.glob("*/task.toml"):
        shutil.rmtree(old.parent)
    for draft in drafts:
        write_draft(draft, folder / draft.name)


def differences(drafts: Sequence[Draft], folder: Path) -> Iterator[str]:
    """Files that are not what the drafts say, byte for byte; missing ones and others among them."""
    wanted = {f"{draft.name}/{name}": text for draft in drafts for name, text in contents(draft).items()}
    wanted |= {f"{draft.name}/task.toml": dump_config(config(draft)).encode() for draft in drafts}
    there = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    for name in sorted({*wanted, *there}):
        if name not in there or name not in wanted or there[name].read_bytes() != wanted[name]:
            yield name
