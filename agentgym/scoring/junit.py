"""JUnit XML as verdicts by pytest id. Knows no task and no reward."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

from agentgym.errors import GraderError
from agentgym.trajectory import TestVerdict


def verdicts(report: bytes, test_ids: Iterable[str]) -> dict[str, TestVerdict]:
    """Verdict of each wanted id. A test reported more than once is as good as its worst report.

    Raises GraderError when the report is not JUnit XML (a verifier cut short leaves such).
    """
    try:
        text = report.decode()
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise GraderError("junit.xml: has a document type declaration, which no test runner writes")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise GraderError(f"junit.xml: not XML: {error}") from None
    found: dict[str, TestVerdict] = {}
    order: tuple[TestVerdict, ...] = ("failed", "skipped", "passed")
    for case in root.iter("testcase"):
        key = f"{case.get('classname', '')}::{case.get('name', '')}"
        verdict: TestVerdict = "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            verdict = "failed"
        elif case.find("skipped") is not None:
            verdict = "skipped"
        found[key] = min(verdict, found.get(key, verdict), key=order.index)
    return {test_id: found.get(junit_key(test_id), "missing") for test_id in test_ids}


def junit_key(test_id: str) -> str:
    """`tests/test_a.py::TestB::test_c[x]` as the report names it: `tests.test_a.TestB::test_c[x]`."""
    head, bracket, parameters = test_id.partition("[")
    path, *names = head.split("::")
    *classes, name = names or [""]
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]) + f"::{name}{bracket}{parameters}"
