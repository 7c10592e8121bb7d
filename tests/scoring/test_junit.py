"""Verdicts out of JUnit XML, held against what pytest itself writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.errors import GraderError
from agentgym.scoring.junit import junit_key, verdicts

ODD = """
import unittest

import pytest


@pytest.mark.parametrize("x", ["a::b", "[c]", "d/e.py", "ü", "f g", "", "1.5", "\\x00", "</testcase>"])
def test_odd(x):
    assert x != "d/e.py"


class TestOuter:
    class TestInner:
        @pytest.mark.parametrize("x", ["p::q[r]"])
        def test_deep(self, x):
            pass

        @pytest.mark.skip
        def test_skipped(self):
            pass


class Old(unittest.TestCase):
    def test_old(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        assert False


@pytest.fixture
def breaks_after():
    yield
    raise RuntimeError


def test_breaks_after(breaks_after):
    pass


@pytest.fixture
def breaks_before():
    raise RuntimeError


def test_breaks_before(breaks_before):
    pass
"""


LISTING = """
def pytest_itemcollected(item):
    with open("ids", "a") as file:
        print(item.nodeid, file=file)
"""


def report(*cases: str) -> bytes:
    return f'<?xml version="1.0"?><testsuites><testsuite>{"".join(cases)}</testsuite></testsuites>'.encode()


def test_what_pytest_writes(tmp_path: Path) -> None:
    """Every id that pytest lists has the verdict that pytest gave it."""
    folder = tmp_path / "tests" / "sub.dir"
    folder.mkdir(parents=True)
    (folder / "test_odd.py").write_text(ODD)
    (tmp_path / "conftest.py").write_text(LISTING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "--junitxml=junit.xml", "tests"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    ids = (tmp_path / "ids").read_text().splitlines()
    assert len(ids) == 15, done.stdout
    found = verdicts((tmp_path / "junit.xml").read_bytes(), ids)
    assert "missing" not in found.values()
    short = {test_id.partition("::")[2]: verdict for test_id, verdict in found.items()}
    assert short["test_odd[d/e.py]"] == "failed"
    assert short["test_odd[a::b]"] == short["test_odd[[c]]"] == short["test_odd[]"] == "passed"
    assert short["TestOuter::TestInner::test_deep[p::q[r]]"] == "passed"
    assert short["TestOuter::TestInner::test_skipped"] == "skipped"
    assert short["Old::test_old"] == "passed"
    assert short["test_breaks_after"] == short["test_breaks_before"] == "failed"
    assert list(found.values()).count("failed") == 3


@pytest.mark.parametrize(
    ("test_id", "key"),
    [
        ("tests/test_a.py::test_b", "tests.test_a::test_b"),
        ("test_a.py::TestB::TestC::test_d", "test_a.TestB.TestC::test_d"),
        ("tests/test_a.py::test_b[x/y.py::z]", "tests.test_a::test_b[x/y.py::z]"),
        ("tests/test.v1.py::test_b[[]", "tests.test.v1::test_b[[]"),
    ],
)
def test_junit_key(test_id: str, key: str) -> None:
    assert junit_key(test_id) == key


def test_the_worst_report_counts() -> None:
    twice = report(
        '<testcase classname="a" name="t"/>',
        '<testcase classname="a" name="t"><error message="teardown"/></testcase>',
        '<testcase classname="a" name="t"/>',
        '<testcase classname="a" name="s"/><testcase classname="a" name="s"><skipped/></testcase>',
    )
    assert verdicts(twice, ["a.py::t", "a.py::s"]) == {"a.py::t": "failed", "a.py::s": "skipped"}


def test_what_is_not_there_is_missing() -> None:
    assert verdicts(b'<?xml version="1.0" encoding="no-such"?><testsuite/>', ["a.py::t"]) == {"a.py::t": "missing"}
    assert verdicts(report(), ["a.py::t"]) == {"a.py::t": "missing"}
    assert verdicts(report('<testcase classname="a" name="t2"/>'), ["a.py::t"]) == {"a.py::t": "missing"}
    assert verdicts(b"<testcase/>", ["a.py::t"]) == {"a.py::t": "missing"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not XML"),
        (b"PASSED", "not XML"),
        (b'<testsuite><testcase classname="a" name="t"/>', "not XML"),
        (b"\xff\xfe\x00", "not XML"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>', "document type"),
        (b"<!doctype html><testsuite/>", "not XML"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><t>&a;</t>'.encode("utf-16"), "not XML"),
    ],
    ids=["empty", "text", "cut short", "bytes", "doctype", "html", "utf-16"],
)
def test_what_is_no_report(content: bytes, said: str) -> None:
    with pytest.raises(GraderError, match=said):
        verdicts(content, ["a.py::t"])
