"""What the commands share to talk to a person: tables, notes, errors, JSON. The one home of rich.

Where the stream is no terminal nothing is wrapped, cut or coloured, so that pipes and logs get whole lines.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNLIMITED = 10_000
"""Columns of a stream that is no terminal."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `main`, which rich would not."""
        raise  # the BrokenPipeError that rich is handling


def stdout() -> Console:
    """Results."""
    return _console(to_stderr=False)


def stderr() -> Console:
    """Progress, notes, warnings."""
    return _console(to_stderr=True)


def _console(*, to_stderr: bool) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return _Console(stderr=to_stderr, width=width, markup=False, highlight=False, emoji=False)


# what moves the cursor, retitles the window or turns the direction of writing; half characters, which no stream takes
_UNSAFE = {
    code: None
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def plain(text: str) -> str:
    """What a model or a program in a sandbox wrote, as text alone."""
    return text.translate(_UNSAFE)


def note(text: str, style: str = "") -> None:
    """A line on stderr."""
    stderr().print(Text(text, style=style))


def warn(text: str) -> None:
    stderr().print(Text.assemble(("warning: ", "yellow"), text))


def fail(text: str) -> None:
    """Why the command ends."""
    stderr().print(Text.assemble(("error: ", "bold red"), text))


def print_json(data: Any) -> None:
    """The whole result of a command, for machines."""
    print(json.dumps(data, indent=2))


def table(columns: Sequence[str], *, title: str | None = None) -> Table:
    """Columns whose name ends in `>` are aligned to the right."""
    made = Table(
        box=box.SIMPLE_HEAD, show_edge=False, title=title, title_justify="left", title_style="bold", pad_edge=False
    )
    for column in columns:
        name = column.removesuffix(">")
        made.add_column(name, justify="right" if name != column else "left", overflow="fold")
    return made


def seconds(value: float) -> str:
    """Short and with its unit."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def size(n_bytes: int) -> str:
    value = float(n_bytes)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


@contextlib.contextmanager
def busy(text: str) -> Iterator[None]:
    """A spinner while something takes long; a plain line where stderr is no terminal."""
    console = stderr()
    if console.is_terminal:
        with console.status(Text(text)):
            yield
    else:
        console.print(text)
        yield


class _LogLines(logging.Handler):
    """What the library logs, as lines of a console that a live table may be drawn on."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        self._console.print(Text.assemble((f"{record.levelname.lower()}: ", style), self.format(record)))


def show_logs(console: Console) -> None:
    """Show warnings of the library from here on."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_LogLines(console)], force=True)
