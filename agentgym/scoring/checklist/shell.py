"""Shell text as simple commands: words, redirections, here-documents, the folder they run in.

It reads what agents write, not all that shells can: no variables, and both sides of a condition count.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1(.*?)\n(.*?)^[ \t]*\2[ \t]*$", re.DOTALL | re.MULTILINE)
_SUBSTITUTED = re.compile(r"\$\(\s*cat\s+\x01(\d+)\x01\s*\)")
_MARK = re.compile(r"[\x01\x02](\d+)[\x01\x02]")
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_KEYWORDS = frozenset({"if", "then", "elif", "else", "do", "while", "until", "{", "!", "for"})
_PREFIXES = frozenset({"sudo", "time", "command", "nohup", "exec", "env", "builtin"})


@dataclass(frozen=True, slots=True)
class Command:
    """One program that is run."""

    words: tuple[str, ...]
    """The program first, without assignments, sudo and the like."""
    outputs: tuple[tuple[str, bool], ...] = ()
    """Files that its output goes to, each with whether it is appended."""
    stdin: str = ""
    """Its here-document."""
    folder: str = ""
    """That an earlier `cd` went to; empty where none did."""
    piped: bool = False
    """It reads what another one writes."""

    @property
    def program(self) -> str:
        """Without its folder."""
        return posixpath.basename(self.words[0]) if self.words else ""

    @property
    def text(self) -> str:
        return shlex.join(self.words)

    @property
    def operands(self) -> tuple[str, ...]:
        """Words that are no options."""
        return tuple(word for word in self.words[1:] if not word.startswith("-"))

    def within(self, path: str) -> str:
        """`path`, from where the whole text began."""
        return posixpath.normpath(posixpath.join(self.folder, path)) if path else path


def commands(text: str, folder: str = "") -> list[Command]:
    """The simple commands in order, those of `bash -c` in their place; `folder`: where they begin."""
    return run(text, folder)[0]


def run(text: str, folder: str = "") -> tuple[list[Command], str]:
    """As `commands`, and the folder that a shell which lives on is in afterwards."""
    bodies: list[str] = []

    def keep(match: re.Match[str]) -> str:
        bodies.append(match[4])
        return f" \x01{len(bodies) - 1}\x01 {match[3]}"

    text = _HEREDOC.sub(keep, text.replace("\\\n", " "))
    text = _COMMENT.sub("", _SUBSTITUTED.sub("\x02\\1\x02", text))
    found: list[Command] = []
    outside: list[str] = []
    """The folders of the shells around a subshell."""
    for part in _split(_tokens(text)):
        if part == "(":
            outside.append(folder)
        elif part == ")":
            folder = outside.pop() if outside else folder
        else:
            tokens, piped = part
            command = replace(_command(tokens, bodies), folder=folder, piped=piped)
            if command.program == "cd":
                folder = command.within(command.operands[0]) if command.operands else folder
            elif command.program in ("bash", "sh") and "-c" in command.words[:-1]:
                found += commands(command.words[command.words.index("-c") + 1], folder)
            elif command.words or command.outputs:
                found.append(command)
    return found, folder


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        return list(lexer)
    except ValueError:  # quotes that do not close: line by line is better than nothing
        return [token for line in text.splitlines() for token in (*line.split(), "\n")]


def _split(tokens: Sequence[str]) -> Iterator[tuple[list[str], bool] | Literal["(", ")"]]:
    """Each simple command's tokens, and whether another is piped into it; parentheses between them."""
    current: list[str] = []
    piped = comment = False
    for token in tokens:
        if comment and "\n" not in token:
            continue
        comment = token.startswith("#")
        if comment:
            continue
        if token and set(token) <= set(";&|()\n"):
            if current:
                yield current, piped
            current, piped = [], token.strip("\n") in ("|", "|&")
            for mark in token:
                if mark == "(":
                    yield "("
                elif mark == ")":
                    yield ")"
        else:
            current.append(token)
    if current:
        yield current, piped


@dataclass(slots=True)
class _Words:
    words: list[str] = field(default_factory=list)
    outputs: list[tuple[str, bool]] = field(default_factory=list)
    stdin: str = ""


def _command(tokens: Sequence[str], bodies: Sequence[str]) -> Command:
    read = _Words()
    rest = iter(tokens)
    for token in rest:
        if token and set(token) <= set("<>&|") and token != "&":
            target = next(rest, "")
            if read.words and read.words[-1].isdigit() and token.startswith((">", "<")):
                read.words.pop()  # a descriptor's number
            if ">" in token and not target.isdigit() and target not in ("/dev/null", "-", ""):
                read.outputs.append((target, ">>" in token))
        elif mark := re.fullmatch(r"\x01(\d+)\x01", token):
            read.stdin = bodies[int(mark[1])]
        else:
            read.words.append(_MARK.sub(lambda found: bodies[int(found[1])].rstrip("\n"), token))
    return Command(tuple(_bare(read.words)), tuple(read.outputs), read.stdin)


def _bare(words: list[str]) -> list[str]:
    while words and (words[0] in _KEYWORDS or words[0] in _PREFIXES or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if len(words) > 2 and words[0] == "timeout":
        return _bare(words[2:])
    return words
