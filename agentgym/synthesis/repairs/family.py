"""The family of repairs: which there are, and which of them are trained on.

    train     the most of the names, constants and places of bugs of the seen templates
    heldout   seen templates, but names, constants and a place of a bug none of which that template has in training
    unseen    templates that training never has

The line is drawn by hashes of (template, hole, value) and of the template's name: everywhere the same.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import TypeVar

from agentgym.synthesis.repairs.bugs import Bug, bugs
from agentgym.synthesis.repairs.catalogue import TEMPLATES
from agentgym.synthesis.repairs.names import choices
from agentgym.synthesis.repairs.repair import Repair
from agentgym.synthesis.repairs.template import Template

HELD_OUT = 0.25
"""Share of the names and constants of a seen template that training never has."""
WEIGHTS = {"operator": 12, "constant": 2, "number": 6, "name": 1, "argument": 1, "case": 1, "place": 2}
"""How often a bug is of a kind, against the others that its template has. Wrong names are the most by far, and with
wrong constants the last that a small policy learns; a return out of place is the first."""
_ATTEMPTS = 1000

Value = TypeVar("Value")


class Split(StrEnum):
    TRAIN = "train"
    HELDOUT = "heldout"
    UNSEEN = "unseen"


@functools.cache
def templates(split: Split) -> tuple[Template, ...]:
    """By name."""
    return tuple(TEMPLATES[name] for name in sorted(TEMPLATES) if TEMPLATES[name].unseen == (split is Split.UNSEEN))


@functools.cache
def values(template: Template, hole: str, split: Split) -> tuple[str, ...]:
    """What may fill a hole."""
    return _side(choices(hole), f"{template.name} {hole}", split)


@functools.cache
def shown_bugs(template: Template, split: Split) -> tuple[Bug, ...]:
    """Those of the split that calls can tell from the fixed source."""
    telling = _telling_bugs(template)
    if split is Split.UNSEEN:
        return telling
    held_out = _held_out_site(template, telling)
    return tuple(bug for bug in telling if ((bug.kind, bug.start) == held_out) == (split is Split.HELDOUT))


def make(template: Template, split: Split, seed: int) -> Repair:
    """One repair, always the same for the same arguments. ValueError where the template is not of the split."""
    if template.unseen != (split is Split.UNSEEN):
        raise ValueError(f"template {template.name} is not of the split {split}")
    rng = random.Random(f"{template.name} {split} {seed}")
    for _ in range(_ATTEMPTS):
        repair = _draw(template, split, rng, seed)
        if repair.shows:
            return repair
    raise AssertionError(f"{template.name}: no bug shows in {_ATTEMPTS} attempts")


def sample(split: Split, rng: random.Random) -> Repair:
    """One of a random template."""
    return make(rng.choice(templates(split)), split, rng.getrandbits(31))


def draft(split: Split, rng: random.Random) -> Repair:
    """As `sample`, ten times as fast and not run: to show how a bug is mended it need not be seen to fail."""
    return _draw(rng.choice(templates(split)), split, rng, rng.getrandbits(31))


def _draw(template: Template, split: Split, rng: random.Random, seed: int) -> Repair:
    filled: dict[str, str] = {}
    for hole in template.holes:
        filled[hole] = rng.choice([value for value in values(template, hole, split) if value not in filled.values()])
    return Repair(template, filled, _pick(shown_bugs(template, split), rng), seed)


def _pick(found: Sequence[Bug], rng: random.Random) -> Bug:
    kinds = sorted({bug.kind for bug in found})
    [kind] = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds])
    return rng.choice([bug for bug in found if bug.kind == kind])


@functools.cache
def _telling_bugs(template: Template) -> tuple[Bug, ...]:
    return tuple(bug for bug in bugs(template) if _try(template, bug).shows)


def _try(template: Template, bug: Bug, seed: int = 0) -> Repair:
    """The bug under some names or other."""
    filled: dict[str, str] = {}
    for hole in template.holes:
        filled[hole] = next(value for value in choices(hole) if value not in filled.values())
    return Repair(template, filled, bug, seed)


def _held_out_site(template: Template, found: Sequence[Bug]) -> tuple[str, int]:
    """One kind of bug in one place. More would tell where a template is broken: at the places that training has."""
    rng = random.Random(template.name)
    kinds = sorted({bug.kind for bug in found})
    for _ in range(_ATTEMPTS):
        [kind] = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds])
        bug = rng.choice([bug for bug in found if bug.kind == kind])
        if all(_try(template, bug, seed).shows for seed in range(1, 5)):
            return bug.kind, bug.start
    raise AssertionError(f"{template.name}: no bug shows under every seed")


def _side(found: Sequence[Value], where: str, split: Split) -> tuple[Value, ...]:
    """The part of `found` that is a split's; unseen templates have all."""
    if split is Split.UNSEEN:
        return tuple(found)
    ranked = sorted(found, key=lambda value: _digest(f"{where} {value}"))
    n_held_out = max(1, round(HELD_OUT * len(ranked)))
    return tuple(ranked[:n_held_out] if split is Split.HELDOUT else ranked[n_held_out:])


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
