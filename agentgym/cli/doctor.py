"""`agentgym doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from agentgym import entry
from agentgym.cli.console import busy, print_json, size, stdout, table
from agentgym.errors import AgentGymError
from agentgym.protocols import Check

_PACKAGES = ("agentgym", "gymnasium", "docker", "pydantic", "httpx", "gitpython", "typer", "rich")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what works on this machine.

    Checks every sandbox backend, versions, extras and the cache. Exit code 0 when at least one backend works, else 3.
    """
    from agentgym import backends

    with busy("checking the sandbox backends"):
        checks = {name: _checks(name) for name in backends.NAMES}
    works = {name: all(check.ok for check in found) for name, found in checks.items()}
    cache, cache_bytes = _cache()
    versions, extras = dict(_versions()), dict(_extras())
    plugins = {"scaffolds": entry.names(entry.SCAFFOLDS), "models": entry.names(entry.MODELS)}
    if as_json:
        print_json(
            {
                "backends": {
                    name: {"works": works[name], "checks": [asdict(check) for check in found]}
                    for name, found in checks.items()
                },
                "versions": versions,
                "extras": extras,
                **plugins,
                "cache": {"folder": str(cache), "bytes": cache_bytes},
            }
        )
    else:
        _show_checks(checks)
        _show_facts(
            {
                "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
                "extras": ", ".join(
                    f"{name} {'installed' if there else 'not installed'}" for name, there in extras.items()
                ),
                "scaffolds": ", ".join(plugins["scaffolds"]),
                "models": ", ".join(plugins["models"]),
                "cache": f"{cache}, {size(cache_bytes)}",
                "works": ", ".join(name for name in works if works[name]) or "no sandbox backend works here",
            }
        )
    if not any(works.values()):
        raise typer.Exit(3)


def _checks(name: str) -> list[Check]:
    """A backend that cannot even be asked is one more line, not the end of the command."""
    from agentgym import backends

    try:
        return backends.make_backend(name).doctor()
    except (AgentGymError, OSError, ImportError) as error:
        return [Check(name, False, str(error))]


def _show_checks(checks: dict[str, list[Check]]) -> None:
    shown = table(["backend", "check", "", "found"])
    for name, found in checks.items():
        for n, check in enumerate(found):
            mark, style = ("ok", "green") if check.ok else ("no", "bold red")
            shown.add_row(name if n == 0 else "", check.name, Text(mark, style), check.detail)
        shown.add_section()
    stdout().print(shown)


def _show_facts(facts: dict[str, str]) -> None:
    shown = table(["", ""])
    shown.show_header = False
    for name, value in facts.items():
        shown.add_row(name, value)
    stdout().print(shown)


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
    yield "python", platform.python_version()
    yield "linux", platform.release()


def _extras() -> Iterator[tuple[str, bool]]:
    """Each extra of the package, and whether all that it names is installed."""
    try:
        names = metadata("agentgym").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return
    for name in names:
        wanted = [line for line in requires("agentgym") or [] if re.search(rf"extra == ['\"]{name}['\"]", line)]
        yield name, all(_installed(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in wanted)


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _cache() -> tuple[Path, int]:
    """The folder of built images, and what it takes on disk."""
    from agentgym.sandbox.cache import cache_folder

    folder = cache_folder()
    return folder, _disk_bytes(folder)


def _disk_bytes(folder: Path) -> int:
    """Of all files below; a file with several names counts once, and what may not be read not at all."""
    total, seen = 0, set[tuple[int, int]]()
    for place, _folders, files in os.walk(folder):
        for name in files:
            try:
                found = os.lstat(f"{place}/{name}")
            except OSError:
                continue
            if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total
