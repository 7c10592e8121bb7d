"""What the search for the fix takes for the fix, and what not."""

from __future__ import annotations

import base64
import gzip
import io
import py_compile
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agentgym.admission.dig import judge, needles, parse_patch
from agentgym.admission.dig_inside import Search

FIXED = """import decimal


def total(prices, discount):
    rate = decimal.Decimal(1) - discount
    result = sum(prices, decimal.Decimal(0)) * rate
    return result.quantize(decimal.Decimal("0.01"))


def label(name):
    return name.strip()
"""
BUGGY = FIXED.replace('.quantize(decimal.Decimal("0.01"))', "").replace(
    "    rate = decimal.Decimal(1) - discount\n", ""
)
PATCH = """--- a/pkg/prices.py
+++ b/pkg/prices.py
@@ -2,6 +2,7 @@
 
 
 def total(prices, discount):
+    rate = decimal.Decimal(1) - discount
     result = sum(prices, decimal.Decimal(0)) * rate
-    return result
+    return result.quantize(decimal.Decimal("0.01"))
 
"""


@pytest.fixture
def search(tmp_path: Path) -> Search:
    work = tmp_path / "work"
    (work / "pkg").mkdir(parents=True)
    (work / "pkg" / "prices.py").write_text(BUGGY)
    content = base64.b64encode(FIXED.encode()).decode()
    return Search(
        str(work), {"pkg/prices.py": {"content": content, "needles": needles(parse_patch(PATCH)["pkg/prices.py"])}}
    )


def whole(search: Search) -> list[Any]:
    return [hit["whole"] for hit in search.hits]


def test_a_patch_is_read() -> None:
    assert list(parse_patch(PATCH)) == ["pkg/prices.py"]
    assert [kind for kind, _ in parse_patch(PATCH)["pkg/prices.py"][0]] == list("   + -+ ")
    assert parse_patch("--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n") == {}


def test_the_buggy_file_is_no_hit(search: Search) -> None:
    search.look(BUGGY.encode(), "work")
    search.look(b"def label(name):\n    return name.strip()\n", "other")
    assert search.hits == []


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        (FIXED, True),
        (FIXED.replace("\n", "\r\n"), True),
        ("# a later version\n" + FIXED, True),
        (PATCH, True),
        ("\n".join({"+": "-", "-": "+"}.get(line[:1], line[:1]) + line[1:] for line in PATCH.splitlines()[3:]), True),
        (FIXED.replace("    rate = decimal.Decimal(1) - discount\n", "    rate = 1\n"), False),
    ],
    ids=["file", "line ends", "other version", "patch", "patch of the bug", "half of it"],
)
def test_hits(search: Search, text: str, is_whole: bool) -> None:
    search.look(text.encode(), "somewhere")
    assert whole(search) == [is_whole]


def test_files(search: Search, tmp_path: Path) -> None:
    (tmp_path / "prices.py.gz").write_bytes(gzip.compress(FIXED.encode()))
    with zipfile.ZipFile(tmp_path / "pkg.whl", "w") as wheel:
        wheel.writestr("pkg/prices.py", FIXED)
    with tarfile.open(tmp_path / "pkg.tar.gz", "w:gz") as sdist:
        info = tarfile.TarInfo("pkg-2/pkg/prices.py")
        info.size = len(FIXED)
        sdist.addfile(info, io.BytesIO(FIXED.encode()))
    (tmp_path / "fixed.py").write_text(FIXED)
    py_compile.compile(str(tmp_path / "fixed.py"), str(tmp_path / "prices.cpython-311.pyc"))
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    (tmp_path / "broken.gz").write_bytes(b"no gzip")
    (tmp_path / "prices.cpython-27.pyc").write_bytes(b"other" * 9)
    for path in sorted(tmp_path.glob("*.*")):
        search.file(path)
    assert sorted(Path(hit["place"].split(":")[0]).name for hit in search.hits) == [
        "fixed.py", "pkg.tar.gz", "pkg.whl", "prices.cpython-311.pyc", "prices.py.gz"
    ]  # fmt: skip
    assert all(whole(search))


def test_git_objects_that_nothing_refers_to(search: Search, tmp_path: Path) -> None:
    def git(*arguments: str, stdin: str = "") -> str:
        argv = ["git", "-C", str(tmp_path / "work"), "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "Initial state")
    search.git(str(tmp_path / "work" / ".git"))
    assert search.hits == []
    blob = git("hash-object", "-w", "--stdin", stdin=FIXED)
    search.git(str(tmp_path / "work" / ".git"))
    assert [hit["place"].split()[2] for hit in search.hits] == [blob[:12]]


def test_findings() -> None:
    quiet = {"hits": [], "files": 3, "objects": 2, "seconds": 0.1, "route": False}
    hit = {"place": "/opt/prices.py", "how": "pkg/prices.py as fixed", "whole": True}
    assert judge(quiet).status == "ok"
    assert judge({**quiet, "hits": [hit]}).detail == "the fix lies in /opt/prices.py (pkg/prices.py as fixed)"
    assert judge({**quiet, "hits": [hit]}).status == "refused"
    assert judge({**quiet, "hits": [{**hit, "whole": False}]}).status == "warning"
    assert judge({**quiet, "route": True}).status == "refused"
