from __future__ import annotations

import pytest

from agentgym.env import Episode
from agentgym.protocols import ToolContext
from scaffolds.memory import Skills
from scaffolds.memory.files import MAX_BYTES
from scaffolds.memory.skills import MOST, Skill, read_skill
from tests.scaffolds.memory.conftest import Setup

GREETING = "---\nname: greeting\ndescription: >\n  How to greet:\n  politely.\n---\n\n# Greeting\nSay hello.\n"
SETUP = f"mkdir -p .agents/skills/g; cat > .agents/skills/g/SKILL.md <<'E'\n{GREETING}E\n"


def test_without_skills_there_is_no_tool(episode: Episode) -> None:
    skills = Skills(episode)
    assert (skills.tools, skills.recall()) == ((), "")


def test_they_are_listed_and_read_on_demand(episode: Episode, setup: Setup, context: ToolContext) -> None:
    setup(SETUP + "mkdir -p .claude/skills/test; echo 'Run the tests.' > .claude/skills/test/SKILL.md")
    [tool] = Skills(episode).tools
    assert "- greeting: How to greet: politely.\n- test: (it does not say what it is for)" in tool.description
    assert "Say hello" not in tool.description
    result = tool.call({"name": "greeting"}, context)
    assert not result.is_error
    assert result.content == "Files that it names are below /app/.agents/skills/g.\n\n# Greeting\nSay hello."
    assert "Run the tests." in tool.call({"name": "test"}, context).content


def test_mistakes_are_told(episode: Episode, setup: Setup, context: ToolContext) -> None:
    setup(SETUP)
    [tool] = Skills(episode).tools
    wrong = tool.call({"name": "greting"}, context)
    assert wrong.is_error
    assert wrong.content == 'There is no skill `greting` (nearest known skill: "greeting"). The skills are: greeting.'
    setup("rm -r .agents")
    assert tool.call({"name": "greeting"}, context).content == "/app/.agents/skills/g/SKILL.md is gone."
    setup("mkdir -p .agents/skills/g; ln -s /etc/passwd .agents/skills/g/SKILL.md")
    assert "leads out of the work directory" in tool.call({"name": "greeting"}, context).content


def test_the_first_of_a_name_holds(episode: Episode, setup: Setup, context: ToolContext) -> None:
    setup(SETUP + "mkdir -p .claude/skills; cp -r .agents/skills/g .claude/skills/h")
    [tool] = Skills(episode).tools
    assert tool.description.count("- greeting:") == 1
    assert ".agents/skills/g" in tool.call({"name": "greeting"}, context).content


def test_hostile_ones_are_left_out_or_bounded(episode: Episode, setup: Setup, context: ToolContext) -> None:
    setup(
        "mkdir -p .agents/skills/{link,binary,folder/SKILL.md,long,pipe} /out/away; cd .agents/skills\n"
        "ln -s /etc/passwd link/SKILL.md; cp /bin/ls binary/SKILL.md; mkfifo pipe/SKILL.md; cp link/SKILL.md /out/away\n"
        "ln -s /out/away away; yes x | head -c 10000000 > long/SKILL.md"
    )
    [tool] = Skills(episode).tools
    assert "- long: (it does not say what it is for)" in tool.description
    assert tool.description.count("\n- ") == 1
    assert len(tool.call({"name": "long"}, context).content) < MAX_BYTES + 200


def test_no_more_are_listed_than_can_be_read(episode: Episode, setup: Setup) -> None:
    setup("for n in {100..300}; do mkdir -p .agents/skills/$n; echo x > .agents/skills/$n/SKILL.md; done")
    [tool] = Skills(episode).tools
    assert tool.description.count("\n- ") == MOST


@pytest.mark.parametrize(
    ("text", "name", "description"),
    [
        ("---\nname: a\ndescription: b\n---\nc", "a", "b"),
        ("---\r\nname: a\r\ndescription: b\r\n---\r\nc", "a", "b"),
        ('---\nname: "a"\ndescription: "it: says"\nlicense: MIT\nmetadata: {x: [1]}\n---', "a", "it: says"),
        ("---\nname: a b\n---\n", "folder", ""),
        ("---\nname: [a]\ndescription: {b: c}\n---\n", "folder", ""),
        ("---\nname: a\ndescription: not: yaml: at all\n---\n", "folder", ""),
        ("---\n- a\n---\n", "folder", ""),
        ("---\nname: a\nno end", "folder", ""),
        ("---\nname: &x a\ndescription: !!python/object/apply:os.system ['touch /tmp/pwned']\n---\n", "a", ""),
        ("---\n" + "[" * 9000 + "\n---\n", "folder", ""),
        ("---\n? {a: b}\n: c\n---\n", "folder", ""),
        ("name: a", "folder", ""),
    ],
)
def test_front_matter(text: str, name: str, description: str) -> None:
    path = "/app/.agents/skills/folder/SKILL.md"
    assert read_skill(path, text) == Skill(name, description or "(it does not say what it is for)", path)


def test_a_long_description_is_cut_and_an_odd_folder_is_a_name() -> None:
    skill = read_skill("/a/b\nc d/SKILL.md", f"---\ndescription: {'x ' * 5000}\n---\n")
    assert (skill.name, len(skill.description)) == ("b-c-d", 400)
