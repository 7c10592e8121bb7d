"""What a shell command does, as far as it can be read: files read and changed, commits, branches, tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentgym.scoring.checklist.record import Action
from agentgym.scoring.checklist.shell import Command

_READERS = frozenset("cat head tail less more nl bat batcat tac od xxd view".split())
_SEARCHERS = frozenset("grep egrep fgrep rg ag ack find fd fdfind".split())
_LISTERS = frozenset({"ls", "tree", "dir"})
_RUNNERS = re.compile(
    r"(?:\S*/)?(?:pytest|py\.test|tox|nox)\b|(?:\S*/)?python[\d.]* -m (?:pytest|unittest|nose2?|tox|nox)\b"
    r"|make (?:\S+ )*(?:test|tests|check)\b|(?:npm|yarn|pnpm)(?: run)? test\b|cargo test\b|go test\b"
)
_OPENED = re.compile(r"""open\(\s*r?["']([^"'\n]+)["']\s*,\s*(?:mode\s*=\s*)?["']([wax])""")
_PATH_WRITTEN = re.compile(r"""Path\(\s*r?["']([^"'\n]+)["']\s*\)\s*\.\s*write_(?:text|bytes)\(""")


class Effect(NamedTuple):
    action: Action
    path: str = ""
    text: str | None = None
    """None: the command."""


def effects(command: Command) -> Iterator[Effect]:
    """In the order in which they are written."""
    for action, path, text in _own(command):
        yield Effect(action, command.within(path), command.text if text is None else text)
    for path, appended in command.outputs:
        yield Effect("edit" if appended else "write", command.within(path), command.stdin or command.text)


def _own(command: Command) -> Iterator[Effect]:
    program, operands = command.program, command.operands
    files = [word for word in operands if not word.isdigit()]
    if program in _READERS:
        yield from (Effect("read", path) for path in files)
    elif program in _SEARCHERS:
        folder = program in ("find", "fd", "fdfind")
        yield Effect("search", next(iter(operands if folder else operands[1:]), ""))
    elif program in _LISTERS:
        yield Effect("list", next(iter(operands), ""))
    elif program in ("sed", "awk", "gawk", "perl"):
        yield from _edited_in_stream(command)
    elif program == "tee":
        yield from (Effect("edit" if "-a" in command.words else "write", path) for path in operands)
    elif program in ("touch", "truncate"):
        yield from (Effect("write", path) for path in files)
    elif program in ("rm", "unlink"):
        yield from (Effect("delete", path) for path in operands)
    elif program in ("cp", "mv", "install") and len(operands) > 1:
        *sources, target = operands
        yield from (Effect("delete" if program == "mv" else "read", path) for path in sources)
        yield Effect("write", target)
    elif program == "git":
        yield from _git(command)
    elif program.startswith("python"):
        script = command.stdin or " ".join(command.words[1:])
        yield from (Effect("edit" if mode == "a" else "write", path, script) for path, mode in _OPENED.findall(script))
        yield from (Effect("write", path, script) for path in _PATH_WRITTEN.findall(script))
    if _RUNNERS.match(" ".join(command.words)):
        yield Effect("tests")


def _edited_in_stream(command: Command) -> Iterator[Effect]:
    options = [word for word in command.words[1:] if word.startswith("-")]
    scripted = any(re.match(r"-\w*[ef]$|--expression|--file", option) for option in options)
    files = command.operands[1:]  # the script, or what belongs to -e, comes first
    in_place = command.program != "awk" and any(re.match(r"-\w*i|--in-place", option) for option in options)
    if scripted and in_place and not files:
        files = command.operands
    yield from (Effect("edit" if in_place else "read", path) for path in files)


def _git(command: Command) -> Iterator[Effect]:
    words = list(command.words[1:])
    while words and words[0].startswith("-"):  # git -C folder, git -c key=value
        words = words[2:] if words[0] in ("-C", "-c") else words[1:]
    verb, rest = (words[0], words[1:]) if words else ("", [])
    names = [word for word in rest if not word.startswith("-")]
    if verb == "commit":
        yield Effect("commit", text=_message(rest) or command.stdin.strip())
    elif (verb, rest[:1]) in (("checkout", ["-b"]), ("checkout", ["-B"]), ("switch", ["-c"]), ("switch", ["-C"])):
        yield Effect("branch", text=names[0] if names else "")
    elif verb == "branch" and names and names == rest:
        yield Effect("branch", text=names[0])
    elif verb == "restore" or (verb == "checkout" and "--" in rest):
        yield from (Effect("edit", path) for path in (rest[rest.index("--") + 1 :] if "--" in rest else names))
    elif verb == "rm":
        yield from (Effect("delete", path) for path in names)
    elif verb == "mv" and len(names) == 2:
        yield from (Effect("delete", names[0]), Effect("write", names[1]))
    elif verb == "grep":
        yield Effect("search")


def _message(words: list[str]) -> str:
    """Each -m is a paragraph."""
    paragraphs = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        short = re.fullmatch(r"-[a-ln-z]*m(.*)", word, re.DOTALL)  # -am "text", and -am"text"
        if word == "--message" or (short and not short[1]):
            paragraphs.append(following)
        elif word.startswith("--message="):
            paragraphs.append(word.partition("=")[2])
        elif short:
            paragraphs.append(short[1])
    return "\n\n".join(paragraphs)
