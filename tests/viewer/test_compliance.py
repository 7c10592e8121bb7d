"""The compliance page: its numbers are the report's, its links lead to what is behind them, and nothing of it runs."""

from __future__ import annotations

import random
from pathlib import Path

import httpx

from agentgym.scoring.report import ScoredRun, report
from agentgym.trajectory import Outcome
from agentgym.verdict import Compliance, Evidence, ItemVerdict
from agentgym.viewer.compliance import Filter, broken, report_page
from tests.trajectories import make_trajectory
from tests.viewer.compliances import suite
from tests.viewer.conftest import Parsed, get
from tests.viewer.episodes import ATTACK, NASTY, write
from tests.viewer.test_pages import assert_harmless

RUNS = suite(random.Random(5))
SCORED = [ScoredRun.model_validate(run) for run in RUNS]


def n_broken(page: Parsed) -> int:
    return sum((tag, name, value) == ("li", "data-key", value) and " " in value for tag, name, value in page.attributes)


def test_every_count_leads_to_as_many_items(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "octo.jsonl", *RUNS)
    page = get(client, "/octo.jsonl/compliance")
    assert f"ISR {100 * (report(SCORED).overall.isr.value or 0):.1f}" in page.text
    links = {link.removesuffix("#items") for link in page.links() if link.endswith("#items") and "item=" not in link}
    assert len(links) > 20
    for link in sorted(links)[::4]:
        query = httpx.QueryParams(link.partition("?")[2])
        wanted = broken(list(enumerate(SCORED)), Filter.read(dict(query)))
        assert n_broken(get(client, link)) == min(len(wanted), 100) > 0, link


def test_a_run_that_was_rolled_out_again_counts_once(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "octo.jsonl", RUNS[0], RUNS[0], RUNS[1])
    assert "2 runs of 1 tasks" in get(client, "/octo.jsonl/compliance").text


def test_the_page_is_there_where_something_was_scored(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "plain.jsonl", make_trajectory("x"))
    write(tmp_path / "octo.jsonl", *RUNS[:2])
    assert not [link for link in get(client, "/plain.jsonl").links() if "compliance" in link]
    assert "/octo.jsonl/compliance" in get(client, "/octo.jsonl").links()
    missing = client.get("/plain.jsonl/compliance")
    assert missing.status_code == 404
    assert "agentgym score" in missing.text


def test_what_has_no_meaning_asks_for_nothing() -> None:
    assert Filter.read({"result": "maybe", "first": "-3", "source": ""}) == Filter()
    assert Filter.read({"first": "201", "kind": "a b"}).text() == "?kind=a+b&first=201"


def test_hostile_verdicts_are_text(tmp_path: Path, client: httpx.Client) -> None:
    verdict = ItemVerdict(
        item=NASTY, result="fail", why=NASTY, source=NASTY, severity=NASTY, kind=NASTY, statement=NASTY,
        evidence=(Evidence(turn=0, quote=NASTY), Evidence(file=NASTY, line=3, quote=NASTY)),
    )  # fmt: skip
    outcome = Outcome(reward=1.0, checklist=[verdict], compliance=Compliance(isr=False, csr=0.0, n_fail=1))
    hostile = make_trajectory("x", task=NASTY, scaffold=NASTY, model=NASTY, outcome=outcome)
    write(tmp_path / "a.jsonl", hostile)
    page = assert_harmless(client.get("/a.jsonl/compliance").text)
    assert ATTACK in page.text
    for link in page.links():
        if link.startswith("/a.jsonl"):
            assert_harmless(client.get(link).text)
    alone = Parsed(report_page(report([ScoredRun.model_validate(hostile)])))
    assert "script" not in alone.tags
    assert ATTACK in alone.text


def test_the_report_is_one_file() -> None:
    page = Parsed(report_page(report(SCORED)))
    assert "link" not in page.tags
    assert "script" not in page.tags
    assert page.links() == []
    assert "Broken off by infrastructure" in page.text
