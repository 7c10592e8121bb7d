"""What `docker_diff` makes of listings; the conformance suite holds the whole against an engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from agentgym.errors import SandboxError
from agentgym.protocols import FileChange
from agentgym.sandbox.docker.diff import Baseline, compare


@dataclass
class Files:
    """A sandbox that answers as find and sha256sum do. `held`: path → (the kernel's time of change, contents)."""

    held: dict[str, tuple[int, str]]
    status: int = 0
    cut: int | None = None
    """Bytes that arrive of an answer."""
    asked: list[str] = field(default_factory=list)

    def __call__(self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 0) -> tuple[int, bytes, str]:
        self.asked.append(argv[-1].split()[0])
        if argv[-1].startswith("find"):
            answer = "/\0d 755 0 0 4096 1 \0"
            for path, (time, text) in self.held.items():
                answer += f"{path}\0f 644 0 0 {len(text)} {time} \0"
        else:
            paths = stdin.decode().split("\0")[:-1]
            answer = "".join(f"{hashlib.sha256(self.held[path][1].encode()).hexdigest()}  {path}\0" for path in paths)
        return self.status, answer.encode()[: self.cut], "find: killed"

    @contextmanager
    def fresh(self) -> Iterator[Files]:
        self.asked.append("start")
        yield self


IMAGE = {"/a": (1, "one"), "/b": (1, "two"), "/c": (1, "three"), "/d": (1, "four")}


def test_every_kind_of_change() -> None:
    changed = Files({"/a": (1, "one"), "/b": (2, "two"), "/c": (2, "eerht"), "/new": (2, "x")})
    assert compare(changed, Baseline(Files(IMAGE).fresh)) == [
        FileChange("/c", "modified"),
        FileChange("/d", "deleted"),
        FileChange("/new", "added"),
    ]


def test_an_image_is_looked_at_once() -> None:
    image, changed = Files(IMAGE), Files({**IMAGE, "/b": (2, "two"), "/c": (2, "eerht")})
    baseline = Baseline(image.fresh)
    assert compare(Files(IMAGE), baseline) == []
    assert image.asked == ["start", "find"]
    for _ in range(2):
        assert compare(changed, baseline) == [FileChange("/c", "modified")]
    assert image.asked == ["start", "find", "start", "xargs"]


@pytest.mark.parametrize(("status", "cut"), [(137, 44), (137, None), (127, 0), (0, 50), (0, 0)])
def test_half_a_listing_is_no_answer(status: int, cut: int | None) -> None:
    """Else everything that is not in it would count as deleted."""
    with pytest.raises(SandboxError, match="the image needs GNU find"):
        compare(Files(IMAGE, status, cut), Baseline(Files(IMAGE).fresh))


def test_mounts_are_no_change() -> None:
    """Neither what they hide, nor what they show, nor the folders that were made to mount them on."""
    image = Files({**IMAGE, "/pkg": (1, ""), "/pkg/hidden": (1, "five"), "/pkg2": (1, "six")})
    made = dict.fromkeys(["/opt", "/opt/agents", "/opt/agents/one", "/opt/agents/mine", "/opt/agents/one2"], (2, ""))
    changed = Files({**IMAGE, "/pkg": (2, "!"), "/pkg/shown": (2, "?"), **made})
    assert compare(changed, Baseline(image.fresh), {"/pkg", "/opt/agents/one"}) == [
        FileChange("/opt/agents/mine", "added"),
        FileChange("/opt/agents/one2", "added"),
        FileChange("/pkg2", "deleted"),
    ]
