"""The suite, drawn: rules x repositories x queries, grown from seeds written by hand; always the same for one number.

How many there are of which shape stands in PLAN; who states how many rules in N_RULES.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from agentgym.scoring.checklist.item import Source
from agentgym.synthesis.octo.conflict import ABOUT, SIDES, Conflict, Kind, contradict
from agentgym.synthesis.octo.draft import MEMORY, Draft, Stated
from agentgym.synthesis.octo.environment import Environment, environments
from agentgym.synthesis.octo.rule import Rule, filled
from agentgym.synthesis.octo.rules import RULES
from agentgym.synthesis.octo.seed import Seed, seeds
from agentgym.synthesis.octo.turn import Turn

SEED = 20
SOURCES: tuple[Source, ...] = get_args(Source)

Shape = Literal["single", "turns", "long"] | Kind
PLAN: Mapping[Shape, int] = {
    "single": 84,
    "turns": 66,
    "long": 35,
    "user_vs_system": 33,
    "user_vs_project": 17,
    "system_vs_project": 17,
}
N_RULES: Mapping[Source, int] = {
    "system_prompt": 5,
    "project_file": 4,
    "tool_schema": 3,
    "user_query": 2,
    "system_reminder": 2,
    "memory": 2,
    "skill": 2,
}
"""Rules that each source states, beside those of the seed."""
N_MORE = 3
"""Rules that the task's own source states besides."""
N_JUDGED = 3
SKILLS = ("adding-functions", "house-style", "contributing", "small-changes")

_BY_NAME = {rule.name: rule for rule in RULES}
_TURNS = (("add", "add"), ("add", "document"), ("add", "add", "document"))
_LONG = ("add", "document", "add", "add", "document")
_READS_MEMORY = Rule(
    "memory_read",
    "memory_read",
    (f"Open `{MEMORY}` yourself before the first change.",),
    {"kind": "precedes", "first": {"action": "read", "paths": f"/{MEMORY}"}, "later": {"action": ["edit", "write"]}},
    comply={"guides": (MEMORY,)},
    sources=("memory",),
)


def drafts(seed: int = SEED) -> list[Draft]:
    """All tasks of the suite, each different from every other."""
    places = _places(random.Random(f"octo {seed}"))
    found: list[Draft] = []
    seen: set[object] = set()
    for shape, count in PLAN.items():
        for number in range(count):
            environment = next(places)
            for attempt in range(100):
                rng = random.Random(f"{seed} {shape} {number} {attempt}")
                draft = draw(shape, number, environment, rng)
                if (signature := _signature(draft)) not in seen:
                    break
            seen.add(signature)
            found.append(draft)
    return found


def _places(rng: random.Random) -> Iterator[Environment]:
    """Every environment as often as every other."""
    while True:
        yield from rng.sample(environments(), len(environments()))


def _signature(draft: Draft) -> object:
    """What makes two tasks the same, however they are worded."""
    rules = frozenset((stated.source, stated.rule.name) for stated in draft.stated)
    return draft.environment.package, tuple((turn.kind, turn.features[-1].name) for turn in draft.turns), rules


@dataclass(slots=True)
class _Draw:
    """The rules of one task so far."""

    rng: random.Random
    environment: Environment
    n_turns: int
    taken: set[str] = field(default_factory=set)
    """Slots."""
    stated: list[tuple[Source, Rule]] = field(default_factory=list)

    def state(self, source: Source, rule: Rule) -> None:
        self.stated.append((source, rule))
        self.taken.add(rule.slot)

    def more(self, source: Source, count: int, among: Sequence[Rule]) -> None:
        """`count` rules of a source, of slots that are free: first a slot, then a rule of it."""
        for _ in range(count):
            slots = sorted({rule.slot for rule in among if source in rule.sources} - self.taken)
            if slots:
                slot = self.rng.choice(slots)
                self.state(source, self.rng.choice([r for r in among if r.slot == slot and source in r.sources]))


def draw(shape: Shape, number: int, environment: Environment, rng: random.Random) -> Draft:
    """One task; `number` decides which source it is about."""
    category = SOURCES[number % len(SOURCES)]
    seed = seeds()[rng.randrange(len(seeds()))]
    turns = _turns(shape, number, environment, rng)
    rules = _Draw(rng, environment, len(turns))
    conflict = _conflict(shape, rng)
    if conflict is not None:
        category = SIDES[conflict.kind][0]
        rules.state(category, conflict.winner)
    if shape == "long":
        _add_lasting(rules, category)
    skill = rng.choice(SKILLS) if category == "skill" or rng.random() < 0.6 else ""
    remembers = category == "memory" or rng.random() < 0.6
    speakers = [source for source in SOURCES if (source != "skill" or skill) and (source != "memory" or remembers)]
    _add_seeds(rules, seed)
    if skill:
        rules.state("skill", _opens_skill(skill))
    if remembers:
        rules.state("memory", _READS_MEMORY)
    decided = [rule for rule in RULES if not rule.judge]
    for source in speakers:
        more = N_MORE if source == category else 0
        rules.more(source, N_RULES[source] + more, decided)
    judged = [rule for rule in RULES if rule.judge]
    for _ in range(N_JUDGED - sum(bool(rule.judge) for _, rule in rules.stated)):
        rules.more(rng.choice([source for source in speakers if source != "tool_schema"]), 1, judged)
    queries = tuple(turn.query(rng) for turn in turns)
    name = f"{environment.package}-{shape.replace('_', '-')}-{number + 1:02}"
    draft = Draft(name, seed, environment, category, turns, queries, (), skill, conflict, long=shape == "long")
    asked = [
        Stated("user_query", rule, rule.texts[0], place) for place, turn in enumerate(turns) for rule in turn.asks()
    ]
    stated = [Stated(source, rule, _words(rule, draft, rng)) for source, rule in _in_order(rules.stated)]
    loser = Stated(SIDES[conflict.kind][1], conflict.loser, _words(conflict.loser, draft, rng)) if conflict else None
    return Draft(
        name, seed, environment, category, turns, queries, (*stated, *asked), skill, conflict, loser, shape == "long"
    )


def _words(rule: Rule, draft: Draft, rng: random.Random) -> str:
    text: str = filled(rng.choice(rule.texts), draft.names)
    return text


def _in_order(stated: Sequence[tuple[Source, Rule]]) -> list[tuple[Source, Rule]]:
    """By source."""
    return sorted(stated, key=lambda pair: SOURCES.index(pair[0]))


def _turns(shape: Shape, number: int, environment: Environment, rng: random.Random) -> tuple[Turn, ...]:
    kinds: Sequence[str] = ("add",)
    if shape == "turns" or (shape in SIDES and number % 3 == 2):
        kinds = rng.choice(_TURNS)
    elif shape == "long":
        kinds = _LONG
    waiting = rng.sample(environment.features, len(environment.features))
    added = []
    turns = []
    for kind in kinds:
        if kind == "add":
            added.append(waiting.pop())
            turns.append(Turn("add", environment, (added[-1],)))
        else:
            turns.append(Turn("document", environment, tuple(added)))
    return tuple(turns)


def _conflict(shape: Shape, rng: random.Random) -> Conflict | None:
    kind = next((kind for kind in SIDES if kind == shape), None)
    if kind is None:
        return None
    wins, loses = SIDES[kind]
    pairs = [
        Conflict(kind, winner, loser)
        for winner in RULES
        if winner.slot in ABOUT and wins in winner.sources
        for loser in RULES
        if loses in loser.sources and contradict(winner, loser)
    ]
    slot = rng.choice(sorted({pair.winner.slot for pair in pairs}, key=list(ABOUT).index))
    return rng.choice([pair for pair in pairs if pair.winner.slot == slot])


def _add_lasting(rules: _Draw, category: Source) -> None:
    """Rules on every reply, which are easily lost when the conversation is compacted."""
    source: Source = "user_query" if category == "tool_schema" else category
    lasting = [rule for rule in RULES if source in rule.sources and rule.name.startswith(("tag_", "words_", "no_we"))]
    for slot in ("beginning", "banned_words", "no_we"):
        among = [rule for rule in lasting if rule.slot == slot]
        if among:
            rules.state(source, rules.rng.choice(among))


def _add_seeds(rules: _Draw, seed: Seed) -> None:
    for source, names in seed.rules.items():
        for name in names:
            if _BY_NAME[name].slot not in rules.taken:
                rules.state(source, _BY_NAME[name])


def _opens_skill(skill: str) -> Rule:
    return Rule(
        f"opens_{skill.replace('-', '_')}",
        "skill",
        (f"Open the skill `{skill}` before the first change.",),
        {"kind": "skill_used", "name": skill, "before": {"action": ["edit", "write"]}},
        comply={"skill": skill},
        sources=("skill",),
    )
