"""The viewer in a real browser: what runs, what does not, what moves."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.trajectory import Outcome
from tests.require import unavailable
from tests.viewer.compliances import suite
from tests.viewer.conftest import serving
from tests.viewer.episodes import called, hostile, journal, large, many, opened, rich, write
from tests.viewer.trainings import curve, line, tell

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RICH = rich()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        unavailable("browser", f"{error}: pip install playwright")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        unavailable("browser", f"found none of {', '.join(BROWSERS)}: scripts/setup-browser.sh installs one")
    with sync_playwright() as playwright:
        # its own sandbox wants namespaces that root in a container may not have
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as address:
        yield address


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that must log nothing, fail nowhere and open no dialog: a refused script or style would be logged."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("response", lambda response: said.append(f"{response.status} {response.url}") if response.status >= 400 else None)  # fmt: skip
    yield page
    context.close()
    assert said == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three episodes of one run."""
    return write(
        tmp_path / "a.jsonl",
        RICH,
        rich(id="2", task="second", outcome=Outcome(reward=1.0)),
        rich(id="3", task="third", outcome=Outcome(reward=0.0)),
    )


def rows(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".episodes tbody th").all_inner_texts()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_drawn_without_a_complaint(run: Path, address: str, page: Any, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    tell(run.with_name("metrics.jsonl"), *curve(40), line("note", 40, "long " * 200))
    for path in (
        "/",
        "/metrics.jsonl",
        "/a.jsonl",
        "/a.jsonl/0",
        "/a.jsonl/0/calls/4",
        "/a.jsonl/0/tokens/0",
        "/a.jsonl/0/patch/0",
    ):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_click_sorts_and_a_choice_filters(run: Path, address: str, page: Any) -> None:
    page.goto(f"{address}/a.jsonl")
    page.get_by_role("columnheader", name="Reward").last.get_by_role("link").click()
    assert rows(page) == ["third", "isodate-fraction-of-second-grows", "second"]
    page.get_by_role("link", name="Reward").click()
    assert rows(page) == ["second", "isodate-fraction-of-second-grows", "third"]
    page.get_by_label("Outcome").select_option("failed")
    page.wait_for_url("**outcome=failed**")
    assert rows(page) == ["third"]
    assert "order=down" in page.url


def test_it_works_without_scripts(run: Path, address: str, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/a.jsonl")
    page.get_by_role("link", name="Reward").last.click()
    assert rows(page)[0] == "third"
    page.get_by_role("link", name="isodate").click()
    page.get_by_text("more lines").first.click()
    assert "line 40 of the formatter" in page.locator("#part").inner_text()
    context.close()


def test_folded_text_is_brought_in_place(run: Path, address: str, page: Any) -> None:
    page.goto(f"{address}/a.jsonl/0")
    turn = page.locator("#t1")
    turn.get_by_text("more lines").click()
    turn.get_by_text("line 40 of the formatter").wait_for()
    assert turn.locator(".result").last.inner_text().count("of the formatter") == 60
    assert page.url.endswith("/a.jsonl/0")


def test_tokens_are_coloured_at_a_key(run: Path, address: str, page: Any) -> None:
    page.goto(f"{address}/a.jsonl/0")
    token = page.locator("#t1 .tokens span").first
    assert token.count() == 0
    page.keyboard.press("t")
    token.wait_for()
    assert re.fullmatch(r"id \d+ · -\d+\.\d+ · \d+\.\d % · version 6", token.get_attribute("title"))
    assert not page.locator("#t1 > .text").is_visible()
    colours = page.evaluate("[...new Set([...document.querySelectorAll('.tokens span')].map(s => getComputedStyle(s).backgroundColor))]")  # fmt: skip
    assert len(colours) >= 4
    page.keyboard.press("t")
    assert page.locator("#t1 > .text").is_visible()
    assert not token.is_visible()


def test_the_keyboard_leads_through_turns_episodes_and_rows(run: Path, address: str, page: Any) -> None:
    page.goto(f"{address}/a.jsonl/0")
    for expected in ("t1", "t2", "t3"):
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.id") == expected
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == "t2"
    assert page.locator(".outline a[aria-current]").get_attribute("href") == "#t2"
    page.keyboard.press("e")
    page.get_by_text("is the likely culprit").wait_for()
    page.get_by_text("line 40 of the formatter").wait_for()
    page.keyboard.press("n")
    page.wait_for_url("**/a.jsonl/1")
    page.keyboard.press("p")
    page.wait_for_url("**/a.jsonl/0")
    page.keyboard.press("u")
    page.wait_for_url("**/a.jsonl")
    page.keyboard.press("/")
    page.keyboard.type("third")
    page.keyboard.press("Enter")
    page.wait_for_url("**task=third**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/a.jsonl/2?task=third")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


def test_news_appear_and_what_was_unfolded_stays(tmp_path: Path, run: Path, address: str, page: Any) -> None:
    page.goto(f"{address}/a.jsonl")
    page.evaluate("window.row = document.querySelector('.episodes tbody tr')")
    write(run, rich(id="4", task="fourth"))
    page.get_by_role("link", name="fourth").wait_for()
    journal(tmp_path / "a.calls.jsonl", opened("e5", task="fifth"), called(RICH.calls[0], 0))
    page.get_by_role("link", name="fifth").wait_for()
    assert page.evaluate("row === document.querySelector('.episodes tbody tr')")  # not drawn again

    page.get_by_role("link", name="fifth").click()
    page.locator("#t1 .reasoning summary").click()
    page.evaluate("window.kept = document.querySelector('[data-key=\"/calls/0/messages/1\"]')")
    assert page.locator("#t2").count() == 0
    assert page.get_by_text("no result yet").count() == 2
    journal(tmp_path / "a.calls.jsonl", called(RICH.calls[1], 1), called(RICH.calls[2], 2))
    page.locator("#t3").wait_for()
    assert page.evaluate("kept.isConnected")
    page.locator("#t2").evaluate("turn => { window.second = turn }")

    write(run, rich(id="e5", task="fifth"))
    page.wait_for_url("**/a.jsonl/4")
    page.get_by_role("heading", name="Patch").wait_for()
    assert page.locator("h1 .reward").inner_text() == "0.75"
    assert page.locator(".tools a[rel=prev]").count() == 1
    assert page.evaluate("document.body.dataset.poll") is None


def test_a_run_that_begins_while_the_page_is_open(tmp_path: Path, address: str, page: Any) -> None:
    page.goto(address)
    assert page.get_by_text("No trajectories here yet").is_visible()
    write(tmp_path / "new.jsonl", RICH)
    page.get_by_role("link", name="new.jsonl").wait_for()
    assert page.get_by_text("No trajectories here yet").count() == 0


def test_curves_grow_while_they_are_looked_at(tmp_path: Path, address: str, page: Any) -> None:
    lines = curve(40)
    path = tell(tmp_path / "quick" / "metrics.jsonl", *lines[:24])
    page.goto(address)
    page.get_by_role("link", name="quick").click()
    newest = page.locator(".curve", has_text="of the episodes that ended during a train step").locator(".at")
    step = lines[23]["step"]
    assert newest.inner_text() == f"step {step}"
    tell(path, *lines[24:])
    page.get_by_text("step 40").first.wait_for()
    write(tmp_path / "quick" / "episodes.jsonl", RICH)
    page.get_by_role("link", name="isodate").click()
    page.wait_for_url("**/quick/episodes.jsonl/0")


def test_a_pointer_reads_all_curves_at_one_step(tmp_path: Path, address: str, page: Any) -> None:
    path = tell(tmp_path / "metrics.jsonl", *curve(40))
    rewards = {one["step"]: one["metrics"].get("reward/mean") for one in map(json.loads, path.read_text().splitlines()) if one["kind"] == "step"}  # fmt: skip
    page.goto(f"{address}/metrics.jsonl")
    reward = page.locator(".curve", has_text="of the episodes that ended during a train step")
    loss = page.locator(".curve", has_text="Loss")
    assert reward.locator("b").inner_text() == f"{rewards[40]:.3g}"
    assert not reward.locator(".cross").is_visible()
    box = loss.locator(".plot").bounding_box()
    loss.locator(".plot").hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
    step = int(reward.locator(".at").inner_text().removeprefix("step "))
    assert 10 < step < 30
    assert reward.locator("b").inner_text() == f"{rewards[step]:.3g}"
    assert reward.locator(".cross").get_attribute("x1") == loss.locator(".cross").get_attribute("x1")
    page.locator("h1").hover()
    assert reward.locator("b").inner_text() == f"{rewards[40]:.3g}"
    assert loss.locator(".cross").get_attribute("hidden") is not None


def test_it_says_when_the_viewer_has_ended(tmp_path: Path, browser: Any) -> None:
    page = browser.new_page()
    with serving(tmp_path) as address:
        page.goto(address)
    page.get_by_text("the viewer has ended").wait_for(timeout=30_000)
    page.close()


def test_hostile_content_runs_nothing(tmp_path: Path, address: str, page: Any) -> None:
    episode = hostile()
    write(tmp_path / "a.jsonl", episode)
    lines = [opened("e9", task=episode.task.name), *(called(call, n) for n, call in enumerate(episode.calls))]
    journal(tmp_path / "a.calls.jsonl", *lines)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    paths = ["/", "/a.jsonl", "/a.jsonl/0", "/a.jsonl/live-e9", "/a.jsonl/0/calls/1", "/a.jsonl/0/tokens/0", "/a.jsonl/0/patch/0"]  # fmt: skip
    for path in [*paths, "/a.jsonl/0/text?at=/turns/0/steps/0/observation", "/a.jsonl/0/raw"]:
        page.goto(address + path)
        if page.locator("#main").count():
            page.keyboard.press("t")
            page.keyboard.press("e")
            page.wait_for_timeout(200)
            assert page.locator("img").count() == 1, path  # our own
            assert page.locator("a[href^='javascript:' i]").count() == 0
        assert page.evaluate("window.hacked") is None, path
    assert all(url.startswith(address) for url in asked)


def test_an_injected_script_or_style_would_be_refused(run: Path, address: str, browser: Any) -> None:
    """The second wall, should the first one ever have a hole."""
    page = browser.new_page()
    page.goto(f"{address}/a.jsonl/0")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\"><p id=red style=\"color: rgb(255, 0, 0)\">x</p>')"
    )
    page.evaluate("const s = document.createElement('script'); s.textContent = 'window.hacked = 2'; document.body.append(s)")  # fmt: skip
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("getComputedStyle(document.getElementById('red')).color") != "rgb(255, 0, 0)"
    page.close()


def test_large_things_are_drawn_soon(tmp_path: Path, address: str, page: Any) -> None:
    many(tmp_path / "many.jsonl", 10_000)
    write(tmp_path / "large.jsonl", large())
    page.goto(f"{address}/many.jsonl")
    page.get_by_text("Episodes 1").wait_for(timeout=30_000)
    for path in ("/many.jsonl?sort=tokens&order=down&page=50", "/large.jsonl/0"):
        page.goto(address + path)
        drawn_ms = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        assert drawn_ms < 5000, path
    page.locator("#t1 .more").first.click()
    page.wait_for_function("document.querySelector('#t1').innerText.length > 300000")


def test_contrast_is_enough_in_light_and_dark(run: Path, address: str, page: Any) -> None:
    """WCAG AA: 4.5 to 1 for every text there is, against what is painted behind it."""
    tell(run.with_name("metrics.jsonl"), *curve(40))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in ("/", "/metrics.jsonl", "/a.jsonl", "/a.jsonl/0", "/a.jsonl/2"):
            page.goto(address + path)
            page.keyboard.press("t")
            page.keyboard.press("e")
            page.wait_for_timeout(300)
            assert page.evaluate(CONTRAST) == [], (scheme, path)


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("dialog, option")) continue;
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const back = light(over(behind)), text = light(over([...behind, getComputedStyle(element).color]));
    const ratio = (Math.max(back, text) + 0.05) / (Math.min(back, text) + 0.05);
    if (ratio < 4.5) poor.push(`${element.className || element.tagName} ${ratio.toFixed(2)} ${element.innerText.slice(0, 30)}`);
  }
  return [...new Set(poor)].slice(0, 10);
}"""


# ---------------------------------------------------------------------------------------------------- compliance


def test_a_number_leads_to_the_turn_that_broke_the_rule(page: Any, address: str, tmp_path: Path) -> None:
    write(tmp_path / "octo.jsonl", *suite(random.Random(5)))
    page.goto(f"{address}/octo.jsonl")
    page.get_by_role("link", name="scored by checklists").click()
    row = page.locator("#sources tbody tr", has_text="memory")
    row.get_by_role("link").last.click()
    page.wait_for_url(re.compile(r"source=memory.*#items"))
    rows = page.locator(".broken > li")
    n_broken = rows.count()
    assert n_broken == int(page.locator("#items-title .hint").inner_text()) > 0
    assert {
        rows.nth(n).locator(".hint").first.inner_text().split(" · ")[1:3] == ["tools", "memory"]
        for n in range(n_broken)
    } == {True}
    place = rows.first.locator(".evidence a")
    turn = place.inner_text()
    place.click()
    page.wait_for_url(re.compile(r"/octo\.jsonl/\d+\?turns=1#t\d$"))
    assert page.locator(":target h3").first.inner_text().lower() == turn
    page.locator("#checklist").get_by_role("link", name=turn).first.click()
    assert page.url.endswith(f"#t{turn.split()[1]}")
