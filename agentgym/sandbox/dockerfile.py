"""A Dockerfile as a list of instructions with variables expanded. Knows no backend.

Parsing is dockerfile-parse's; expansion, and refusing what only BuildKit runs, is ours.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser

from agentgym.errors import ImageError

_KNOWN = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
_VARIABLE = re.compile(
    r"\\(?P<escaped>\$)|\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::(?P<operator>[-+])(?P<word>[^}]*))?\})"
)
_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
_PIECE = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|\\(?P<escaped>[^$])|(?P<bare>(?:[^'"\\]|\\\$)+)"""
)


@dataclass(frozen=True, slots=True)
class Instruction:
    line: int
    """1-based."""
    keyword: str
    value: str
    """Without flags, not expanded."""
    flags: Mapping[str, str]

    def __str__(self) -> str:
        return f"Dockerfile:{self.line}: {self.keyword} {self.value}"


def parse(file: Path) -> list[Instruction]:
    if not file.is_file():
        raise ImageError(f"{file}: not found; an environment/ folder needs a Dockerfile")
    found = []
    for entry in DockerfileParser(fileobj=io.BytesIO(_without_gaps(file.read_text()).encode())).structure:
        keyword, value = entry["instruction"].upper(), entry["value"]
        if keyword == "COMMENT":
            continue
        at = f"{file.name}:{entry['startline'] + 1}"
        if keyword not in _KNOWN:
            raise ImageError(f"{at}: unknown instruction {keyword}; known are {', '.join(sorted(_KNOWN))}")
        if keyword in ("RUN", "COPY", "ADD") and re.search(r"<<-?['\"]?\w+", value.split("&&")[0].split("|")[0]):
            raise ImageError(
                f"{at}: {keyword} with a here-document needs BuildKit; write it as a script file and COPY it"
            )
        if not value:
            raise ImageError(f"{at}: {keyword} needs an argument")
        flags = {}
        while keyword in ("RUN", "COPY", "ADD", "FROM", "HEALTHCHECK") and value.startswith("--"):
            flag, _, value = value.partition(" ")
            name, _, setting = flag[2:].partition("=")
            flags[name] = setting
            value = value.lstrip()
        found.append(Instruction(entry["startline"] + 1, keyword, value, flags))
    stages = [instruction for instruction in found if instruction.keyword == "FROM"]
    if not stages:
        raise ImageError(f"{file.name}: no FROM")
    if len(stages) > 1:
        raise ImageError(f"{file.name}:{stages[1].line}: multi-stage builds are not supported; use one FROM")
    return found


def _without_gaps(text: str) -> str:
    """Empty lines inside a continued instruction as comments, which the parser skips there as Docker does."""
    lines, continued = [], False
    for line in text.splitlines():
        blank = not line.strip()
        lines.append("#" if blank and continued else line)
        comment = line.lstrip().startswith("#")
        continued = continued if blank or comment else line.rstrip().endswith("\\")
    return "\n".join(lines) + "\n"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$name, ${name}, ${name:-word}, ${name:+word}; a backslash keeps the dollar; an unset name is empty."""

    def value_of(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        value = variables.get(match["plain"] or match["braced"], "")
        if match["operator"] == "-":
            return value or match["word"]
        if match["operator"] == "+":
            return match["word"] if value else ""
        return value

    return _VARIABLE.sub(value_of, text)


def assignments(value: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The pairs of `ENV a=1 b="x y" c='$literal'`, or of the old form `ENV a rest of the line`."""
    name, _, rest = value.partition(" ")
    if "=" not in name:
        return {name: expand(rest.strip(), variables)}
    pairs = {}
    for word in _WORD.findall(value):
        name, _, setting = word.partition("=")
        pairs[name] = "".join(_unquoted(match, variables) for match in _PIECE.finditer(setting))
    return pairs


def _unquoted(piece: re.Match[str], variables: Mapping[str, str]) -> str:
    if piece["single"] is not None:
        return piece["single"]
    if piece["escaped"] is not None:
        return piece["escaped"]
    text = piece["double"] if piece["double"] is not None else piece["bare"]
    return re.sub(r"\\(?![$])(.)", r"\1", expand(text, variables))


def exec_form(value: str) -> list[str] | None:
    """The words of a JSON array; None where it is none, which Docker, too, reads as shell form."""
    try:
        found = json.loads(value) if value.startswith("[") else None
    except json.JSONDecodeError:
        return None
    return [str(word) for word in found] if isinstance(found, list) else None


def words(value: str) -> list[str]:
    """The arguments of COPY, ADD and SHELL: a JSON array, or split on blanks."""
    return exec_form(value) or value.split()
