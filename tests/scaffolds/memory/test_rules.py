from __future__ import annotations

import pytest

from agentgym.env import Episode
from scaffolds.memory import Rules
from scaffolds.memory.files import MAX_BYTES, MemoryFiles, Unreadable
from tests.scaffolds.memory.conftest import Setup


def test_without_files_there_is_nothing_to_tell(episode: Episode) -> None:
    assert Rules(episode).recall() == ""
    assert Rules(episode).tools == ()


def test_the_nearest_file_comes_last(episode: Episode, setup: Setup) -> None:
    setup("echo near > AGENTS.md; echo '@AGENTS.md' > CLAUDE.md; echo far > /CLAUDE.md; echo ' ' > /AGENTS.md")
    text = Rules(episode).recall()
    order = [
        '<rules file="/CLAUDE.md">\nfar\n',
        '<rules file="/app/CLAUDE.md">',
        '<rules file="/app/AGENTS.md">\nnear\n',
    ]
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    assert text.count("<rules") == 3


def test_what_is_read_twice_is_told_once(episode: Episode, setup: Setup) -> None:
    setup("echo be polite > AGENTS.md; ln -s AGENTS.md CLAUDE.md")
    text = Rules(episode).recall()
    assert text.count("be polite") == 1
    assert "/app/AGENTS.md" in text


def test_they_stay_as_they_were_at_the_start(episode: Episode, setup: Setup) -> None:
    setup("echo be polite > AGENTS.md")
    rules = Rules(episode)
    setup("echo be rude > AGENTS.md")
    assert "be polite" in rules.recall()


def test_a_link_inside_the_work_directory_is_followed(episode: Episode, setup: Setup) -> None:
    setup("echo be polite > docs/rules.md; ln -s docs/rules.md AGENTS.md")
    assert "be polite" in Rules(episode).recall()


@pytest.mark.parametrize("target", ["/etc/passwd", "../etc/passwd", "/proc/self/environ", "/dev/zero", "/apple/x"])
def test_a_link_that_leads_away_is_not(episode: Episode, setup: Setup, target: str) -> None:
    setup(f"mkdir /apple; echo root: > /apple/x; ln -s {target} AGENTS.md; echo be polite > CLAUDE.md")
    text = Rules(episode).recall()
    assert "`/app/AGENTS.md` was left out: it is a link that leads out of the work directory." in text
    assert "root:" not in text
    assert "be polite" in text


def test_above_the_work_directory_no_link_is(episode: Episode, setup: Setup) -> None:
    setup("ln -s /etc/passwd /AGENTS.md")
    text = Rules(episode).recall()
    assert "`/AGENTS.md` was left out" in text
    assert "root:" not in text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("mkdir AGENTS.md", "it is no file"),
        ("mkfifo AGENTS.md", "it is no file"),
        ("ln -s AGENTS.md AGENTS.md", "it is no file"),
        ("ln -s nowhere AGENTS.md", "it is no file"),
        ("cp /bin/ls AGENTS.md", "it is binary"),
    ],
)
def test_what_is_no_text_is_left_out(episode: Episode, setup: Setup, script: str, said: str) -> None:
    setup(script)
    text = Rules(episode).recall()
    assert f"`/app/AGENTS.md` was left out: {said}." in text
    assert len(text) < 500


def test_a_long_file_is_cut_and_leaves_no_room(episode: Episode, setup: Setup) -> None:
    setup("yes 'be polite' | head -c 10000000 > AGENTS.md; yes 'be rude' | head -c 10000000 > /AGENTS.md")
    text = Rules(episode).recall()
    assert f"[cut after {MAX_BYTES} bytes]" in text
    assert "be rude" not in text
    assert '<rules file="/AGENTS.md">\n[cut after 0 bytes]' in text
    assert len(text) < MAX_BYTES + 1000


def test_bytes_that_are_no_text_are_replaced(episode: Episode, setup: Setup) -> None:
    setup(r"printf 'gr\xfc\xdfe' > AGENTS.md")
    assert "gr\ufffd\ufffde" in Rules(episode).recall()


def test_the_agents_own_user_reads(humble: Episode) -> None:
    humble.sandbox.exec("echo secret > AGENTS.md; chmod 600 AGENTS.md; echo seen > CLAUDE.md", user="root")
    text = Rules(humble).recall()
    assert "`/app/AGENTS.md` was left out: " in text
    assert "Permission denied" in text
    assert "secret" not in text
    assert "seen" in text


def test_a_work_directory_that_is_a_link(episode: Episode, setup: Setup) -> None:
    setup("mkdir -p /srv/real; echo be polite > /srv/real/AGENTS.md; ln -s /srv/real /link")
    files = MemoryFiles.of(episode.sandbox, "/link")
    assert files.root == "/srv/real"
    assert files.read("/srv/real/AGENTS.md") == "be polite\n"
    assert files.read("/srv/real/none") is None
    with pytest.raises(Unreadable, match="leads out"):
        files.read("/link/../../etc/passwd")
