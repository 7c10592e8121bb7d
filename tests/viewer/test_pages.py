"""What the pages show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from agentgym.trajectory import Outcome, Trajectory
from tests.trajectories import make_trajectory
from tests.viewer.conftest import Parsed, get
from tests.viewer.episodes import ATTACK, called, hostile, journal, many, opened, rich, write
from tests.viewer.trainings import curve, line, tell

RICH = rich()


@pytest.fixture
def shown(tmp_path: Path, client: httpx.Client) -> httpx.Client:
    write(tmp_path / "a.jsonl", RICH, rich(id="2", task="other", scaffold="bash", outcome=Outcome(reward=None)))
    return client


def test_the_runs_and_what_they_came_to(tmp_path: Path, shown: httpx.Client) -> None:
    many(tmp_path / "night.jsonl", 120)
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    page = get(shown, "/")
    assert {"/a.jsonl", "/night.jsonl"} <= set(page.links())
    assert re.search(r"a\.jsonl\s*2\s*0\.75\s*0 1 unknown\s*bash, tools\s*policy:smollm2", page.text)
    assert re.search(r"night\.jsonl\s*120", page.text)
    assert re.search(r"No trajectories\s*rows\.jsonl.*no trajectory file", page.text)


def test_an_empty_folder_says_what_to_do(client: httpx.Client) -> None:
    assert "agentgym run TASK --out FILE.jsonl" in get(client, "/").text


def test_a_training_run_and_its_sampled_episodes(tmp_path: Path, client: httpx.Client) -> None:
    tell(tmp_path / "quick" / "metrics.jsonl", *curve(40), line("note", 40, "one engine was lost"))
    (tmp_path / "quick" / "config.toml").write_text("seed = 17\n")
    write(tmp_path / "quick" / "episodes.jsonl", RICH, rich(id="2", task="other"))
    runs = get(client, "/")
    assert {"/quick/metrics.jsonl", "/quick/episodes.jsonl"} <= set(runs.links())
    assert re.search(r"quick training 40 0\.\d+ 27% → 59.9%", " ".join(runs.text.split()))
    assert "No trajectories" not in runs.text
    page = get(client, "/quick/metrics.jsonl")
    for said in (
        "40 of 40",
        "Reward",
        "held-out 59.9%",
        "Staleness",
        "Gradient norm",
        "one engine was lost",
        "seed = 17",
    ):
        assert said in " ".join(page.text.split()), said
    assert {"/quick/episodes.jsonl", "/quick/episodes.jsonl/0", "/quick/episodes.jsonl/1"} <= set(page.links())
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert "Success: train steps 0 to 40; held-out 27% to 59.9%; unseen 9% to 22%" in labels


@pytest.mark.parametrize("name", ["metrics.jsonl", "a/b/metrics.jsonl"])
def test_a_training_run_that_is_nothing_yet_or_something_else(tmp_path: Path, client: httpx.Client, name: str) -> None:
    assert client.get(f"/{name}").status_code == 404
    tell(tmp_path / name, line("start", 0))
    assert "Nothing has been measured yet." in get(client, f"/{name}").text
    tell(tmp_path / name, {"kind": ATTACK}, line("step", 1, loss=1.0))
    page = get(client, f"/{name}")
    assert "line 2 is no record of a training run" in page.text
    assert "script" not in page.text


def test_what_a_metric_is_called_is_text(tmp_path: Path, client: httpx.Client) -> None:
    tell(tmp_path / "metrics.jsonl", line("step", 1, **{ATTACK: 1.0}), line("note", 1, ATTACK))
    before = get(client, "/").tags
    page = get(client, "/metrics.jsonl")
    assert page.tags <= before | {"figure", "figcaption", "svg", "g", "path", "circle", "line", "text", "dl", "b", "i", "ul", "li", "section", "h2", "h3", "details", "summary", "pre", "table"}  # fmt: skip
    assert ATTACK.split()[0] in page.text


def test_episodes_are_sorted_filtered_and_paged_by_links(tmp_path: Path, client: httpx.Client) -> None:
    many(tmp_path / "a.jsonl", 250)

    def numbers(path: str) -> list[int]:
        page = get(client, path)
        return [int(link.split("?")[0].rsplit("/", 1)[1]) for link in page.links() if re.match(r"/a\.jsonl/\d", link)]

    assert numbers("/a.jsonl") == list(range(100))
    assert numbers("/a.jsonl?page=3") == list(range(200, 250))
    assert numbers("/a.jsonl?page=4") == []
    assert numbers("/a.jsonl?sort=number&order=down")[:3] == [249, 248, 247]
    assert numbers("/a.jsonl?outcome=unknown") == [0, 97, 194]
    assert "/a.jsonl?sort=reward&order=up" in get(client, "/a.jsonl").links()
    links = get(client, "/a.jsonl?sort=reward&order=up&scaffold=bash").links()
    assert "/a.jsonl?scaffold=bash&sort=reward&order=down" in links
    assert 'aria-sort="ascending"' in client.get("/a.jsonl?sort=reward&order=up").text


def test_the_order_of_the_table_is_the_order_of_the_episodes(tmp_path: Path, client: httpx.Client) -> None:
    many(tmp_path / "a.jsonl", 250)
    page = get(client, "/a.jsonl/97?outcome=unknown&sort=number&order=down")
    assert {f"/a.jsonl/{n}?outcome=unknown&sort=number&order=down" for n in (0, 194)} <= set(page.links())
    alone = get(client, "/a.jsonl/5?outcome=unknown")
    assert not [link for link in alone.links() if link.startswith(("/a.jsonl/4", "/a.jsonl/6"))]


def test_an_episode_has_everything(shown: httpx.Client) -> None:
    page = get(shown, "/a.jsonl/0")
    for said in (
        "isodate-fraction-of-second-grows",
        "0.75",
        "submitted",
        "policy:smollm2",
        "Fractions of a second grow",
        "You are a software engineer",
        "is the likely culprit",  # reasoning
        "I look for the code",
        "print(duration_isoformat",  # a command
        "# six digits: the zeros in front count",  # an edit
        "`old` does not occur",  # a mistake
        "281 passed in 1.52s",
        "history rewritten",
        "tests/test_fraction.py",
        "test_every_power_of_ten_round_trips",
        "2 of 3 passed",
        "90 of 91 passed",
        "2 of 3 tests that had to pass do",
        "5f2c90d1e37ab846",
        "grading 3.1 s",
    ):
        assert said in page.text, said
    assert {"/a.jsonl/0/raw", "/a.jsonl/0/calls/5", "/a.jsonl/0/calls/3", "/a.jsonl/0/tokens/0", "/a.jsonl/1", "#t4", "#file-1"} <= set(page.links())  # fmt: skip


def test_the_raw_record_is_the_line_of_the_file(tmp_path: Path, shown: httpx.Client) -> None:
    response = shown.get("/a.jsonl/0/raw")
    assert response.headers["content-type"] == "application/json"
    assert response.content == (tmp_path / "a.jsonl").read_bytes().splitlines(keepends=True)[0]
    assert Trajectory.model_validate(response.json()) == RICH


def test_a_compressed_run(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "a.jsonl.gz", RICH)
    assert "281 passed" in get(client, "/a.jsonl.gz/0").text
    assert client.get("/a.jsonl.gz/0/raw").json()["id"] == RICH.id


def test_every_link_of_an_episode_leads_somewhere(shown: httpx.Client) -> None:
    for path in ("/a.jsonl/0", "/a.jsonl/0/calls/5", "/a.jsonl/0/tokens/0"):
        page = Parsed(shown.get(path).text)
        ids = {value for _, name, value in page.attributes if name == "id"}
        for link in page.links():
            if link.startswith("#"):
                assert link[1:] in ids
            else:
                assert shown.get(link).status_code == 200, link


def test_folded_text_is_had_whole(shown: httpx.Client) -> None:
    page = get(shown, "/a.jsonl/0")
    assert "line 40 of the formatter" not in page.text
    (more,) = {link for link in page.links() if "/text?at=/turns/" in link}
    assert "line 40 of the formatter" in get(shown, more).text


def test_the_words_that_only_repeat_a_command_are_left_out(tmp_path: Path, client: httpx.Client) -> None:
    text = "I look.\n\n```bash\nls -l\n```\n\nAnd:\n\n```python\nkept()\n```\n"
    trajectory = make_trajectory(text, "x")
    step = trajectory.turns[0].steps[0].model_copy(update={"arguments": {"command": "ls -l"}})
    turn = trajectory.turns[0].model_copy(update={"steps": [step]})
    write(tmp_path / "a.jsonl", trajectory.model_copy(update={"turns": [turn]}))
    said = client.get("/a.jsonl/0").text
    assert said.count("ls -l") == 2  # the outline and the command
    assert "kept()" in said


def test_a_call_shows_what_the_model_was_told(shown: httpx.Client) -> None:
    page = get(shown, "/a.jsonl/0/calls/4")
    assert "So far: the fraction is fixed" in page.text
    assert "PT1.5S\n" not in page.text  # compacted away
    errand = get(shown, "/a.jsonl/0/calls/3").text
    assert "Where are fractions of seconds formatted?" in errand
    assert "Leading zeros were lost" in errand


def test_tokens_have_their_numbers(shown: httpx.Client) -> None:
    page = get(shown, "/a.jsonl/0/tokens/0")
    titles = [value for tag, name, value in page.attributes if (tag, name) == ("span", "title")]
    tokens = RICH.calls[0].tokens
    assert tokens is not None
    assert len(titles) == len(tokens.sampled)
    assert titles[0].startswith(f"id {tokens.sampled[0]} · {tokens.logprobs[0]:.3f} · ")
    assert titles[-1].endswith("version 7")
    assert "".join(tokens.texts) in page.text


def test_many_turns_are_paged(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "a.jsonl", make_trajectory(*[f"reply {n}" for n in range(1, 251)]))
    page = get(client, "/a.jsonl/0")
    assert "reply 100" in page.text
    assert "reply 101" not in page.text
    assert "/a.jsonl/0?turns=101" in page.links()
    last = get(client, "/a.jsonl/0?turns=201")
    assert "Turns 201\N{EN DASH}250 of 250" in last.text
    assert "#t250" in last.links()


def test_an_episode_that_broke_off_before_it_began(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "a.jsonl", make_trajectory(stop_reason=None, outcome=None, patch=None, messages=[]))
    page = get(client, "/a.jsonl/0")
    assert "broke off" in page.text
    assert "The agent asked for nothing." in page.text


# ------------------------------------------------------------------------------------------------------ in flight


def test_an_episode_in_flight_is_shown_from_the_journal(tmp_path: Path, client: httpx.Client) -> None:
    journal(tmp_path / "a.calls.jsonl", opened("e1"), called(RICH.calls[0], 0))
    assert "1 in flight" in get(client, "/").text
    assert "/a.jsonl/live-e1" in get(client, "/a.jsonl").links()
    page = get(client, "/a.jsonl/live-e1")
    assert "in flight" in page.text
    assert "print(duration_isoformat" in page.text
    assert "no result yet" in page.text
    assert "data-poll" in client.get("/a.jsonl/live-e1").text
    journal(tmp_path / "a.calls.jsonl", called(RICH.calls[1], 1))
    grown = get(client, "/a.jsonl/live-e1")
    assert "PT1.5S" in grown.text
    assert "#t2" in grown.links()
    journal(tmp_path / "a.calls.jsonl", {"kind": "seal", "session": "s1", "at": ""})
    assert "being graded" in get(client, "/a.jsonl/live-e1").text
    assert "likely culprit" in get(client, "/a.jsonl/live-e1/text?at=/calls/0/reply/reasoning_content").text
    assert client.get("/a.jsonl/live-e1/tokens/0").status_code == 200
    assert client.get("/a.jsonl/live-e1/calls/1").status_code == 200


def test_when_it_is_recorded_its_address_leads_to_the_record(tmp_path: Path, client: httpx.Client) -> None:
    journal(tmp_path / "a.calls.jsonl", opened(RICH.id), called(RICH.calls[0], 0))
    get(client, f"/a.jsonl/live-{RICH.id}")
    write(tmp_path / "a.jsonl", rich(id="before"), RICH)
    response = client.get(f"/a.jsonl/live-{RICH.id}?scaffold=tools")
    assert (response.status_code, response.headers["location"]) == (302, "/a.jsonl/1?scaffold=tools")
    page = client.get(f"/a.jsonl/live-{RICH.id}", follow_redirects=True)
    assert "data-poll" not in page.text


def test_an_episode_without_an_answer_yet(tmp_path: Path, client: httpx.Client) -> None:
    journal(tmp_path / "a.calls.jsonl", opened("e/../1 ü"))
    (link,) = [link for link in get(client, "/a.jsonl").links() if "live-" in link]
    assert "No call has been answered yet." in get(client, link).text


# ------------------------------------------------------------------------------------------------------- hostile

TAGS = frozenset(
    "a article b body button caption code dd details dialog div dl dt figcaption figure form h1 h2 h3 head header html i img input kbd "
    "label li link main meta nav ol option p pre rect script section select span strong summary svg table tbody td th thead title tr ul".split()
)


def assert_harmless(html: str) -> Parsed:
    """Whatever was written into it: the page's own tags alone, no handler, no style, no address but the viewer's."""
    page = Parsed(html)
    assert page.tags <= TAGS
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style"
        if name in ("href", "src", "action"):
            assert value.startswith(("/", "#")), value
            assert not value.startswith("//"), value
    assert [value for tag, name, value in page.attributes if (tag, name) == ("script", "src")] == ["/-/viewer.js"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    return page


def test_nothing_that_an_agent_wrote_is_more_than_text(tmp_path: Path, client: httpx.Client) -> None:
    write(tmp_path / "a.jsonl", hostile())
    seen, waiting = set(), ["/", "/a.jsonl"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        response = client.get(path)
        if response.headers["content-type"].startswith("text/html"):
            page = assert_harmless(response.text)
            waiting += [link for link in page.links() if link.startswith("/a.jsonl") and link not in seen]
        assert response.status_code == 200, path
    assert len(seen) > 10
    page = get(client, "/a.jsonl/0")
    assert ATTACK in page.text
    assert "␛[31mred␛[0m ⟨U+202E⟩gnp.exe⟨U+202C⟩ nul:␀ half:⟨U+D800⟩ cr:␍over ⟨U+2066⟩iso⟨U+2069⟩ ⟨U+E0041⟩tag ⟨U+200B⟩zero {{ 7 * 7 }}" in page.text  # fmt: skip


def test_a_hostile_episode_in_flight(tmp_path: Path, client: httpx.Client) -> None:
    lines = [opened(ATTACK, task=ATTACK, scaffold=ATTACK, model=ATTACK, at=ATTACK)]
    lines += [called(call, n) for n, call in enumerate(hostile().calls)]
    journal(tmp_path / "a.calls.jsonl", *lines)
    (link,) = [link for link in assert_harmless(client.get("/a.jsonl").text).links() if "live-" in link]
    assert ATTACK in assert_harmless(client.get(link).text).text


def test_a_hostile_file_name(tmp_path: Path, client: httpx.Client) -> None:
    name = "a<script>alert(1)<" + "'\"&?#%2f\u202e{x}.jsonl"
    write(tmp_path / name, RICH)
    (link,) = [link for link in assert_harmless(client.get("/").text).links() if link.endswith(".jsonl")]
    (episode, *_) = [link for link in assert_harmless(client.get(link).text).links() if link.endswith(".jsonl/0")]
    page = assert_harmless(client.get(episode).text)
    assert "281 passed" in page.text
    (more,) = {link for link in page.links() if "/text?at=" in link and "turns" in link}
    assert "line 40 of the formatter" in get(client, more).text


def test_an_address_that_is_not_there_is_only_text(client: httpx.Client) -> None:
    response = client.get(f"/{ATTACK}.jsonl")
    assert response.status_code == 404
    assert_harmless(response.text)
    json.dumps(response.text)
