"""One repair: a template under some names and constants with one bug in it, and calls that tell broken from whole."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentgym.synthesis.repairs.bugs import Bug, n_sites
from agentgym.synthesis.repairs.edit import Edit
from agentgym.synthesis.repairs.inputs import arguments
from agentgym.synthesis.repairs.lexemes import lexemes
from agentgym.synthesis.repairs.running import canonical, compiled, outcome
from agentgym.synthesis.repairs.template import Template, fill

N_CASES = 12
"""Calls that grade a repair."""
_TRIES = 60
_ENOUGH = 4
"""Calls that fail, of as many as are tried at all."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call and what it must give."""

    arguments: tuple[Any, ...]
    wanted: str
    """As `running.canonical` says it."""


@dataclass(frozen=True)
class Repair:
    """Everything follows from these four."""

    template: Template
    values: Mapping[str, str]
    """Of each hole."""
    bug: Bug
    seed: int
    """Of the calls."""

    @cached_property
    def fixed(self) -> str:
        """Source as it should be."""
        return fill(self.template.code, self.values)

    @cached_property
    def broken(self) -> str:
        """Source as the agent finds it."""
        return fill(self.bug.apply(self.template.code), _with_neighbours(self.values))

    @cached_property
    def doc(self) -> str:
        """What the function is to do."""
        return fill(self.template.doc, self.values)

    @cached_property
    def edit(self) -> Edit:
        """The shortest way back."""
        return Edit.between(self.broken, self.fixed)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Those that grade: edges among them, and, where the bug shows at all, at least two that it fails."""
        shown, hidden = self._calls
        return (*shown[:_ENOUGH], *hidden, *shown[_ENOUGH:])[:N_CASES]

    @cached_property
    def example(self) -> tuple[str, str, str]:
        """The shortest call that the bug fails: the call, what it gives, what it should. Only where it `shows`."""
        shown, _ = self._calls
        case = min(shown, key=lambda case: len(repr(case.arguments)))
        return (
            f"{self.values['f']}({', '.join(map(canonical, case.arguments))})",
            outcome(compiled(self.broken), case.arguments),
            case.wanted,
        )

    @property
    def shows(self) -> bool:
        """Whether the calls tell the broken source from the fixed one."""
        return len(self._calls[0]) >= 2

    @property
    def difficulty(self) -> float:
        """Lexemes of the source and places where it could be broken, as a number from about 1 to 10."""
        return round(len(lexemes(self.broken)) / 12 + n_sites(self.template) / 4, 2)

    @cached_property
    def _calls(self) -> tuple[list[Case], list[Case]]:
        """Calls that the bug fails and calls that it does not, each once."""
        rng = random.Random(f"{self.template.name} {self.seed}")
        whole, broken = compiled(self.fixed), compiled(self.broken)
        numbers = [int(value) for hole, value in self.values.items() if hole.startswith("num")]
        letter, separator = self.values.get("let", ""), self.values.get("sep", "")
        shown: list[Case] = []
        hidden: list[Case] = []
        seen = set()
        for _ in range(_TRIES):
            call = arguments(self.template.inputs, rng, numbers, letter, separator)
            wanted = outcome(whole, call)
            if repr(call) in seen or wanted.startswith("raises"):
                continue
            seen.add(repr(call))
            (hidden if outcome(broken, call) == wanted else shown).append(Case(call, wanted))
            if len(shown) >= _ENOUGH and len(shown) + len(hidden) >= N_CASES:
                break
        return shown, hidden


def _with_neighbours(values: Mapping[str, str]) -> dict[str, str]:
    """Constants with the numbers beside them, for bugs that are off by one."""
    numbers = {hole: int(value) for hole, value in values.items() if hole.startswith("num")}
    up = {f"{hole}_up": str(value + 1) for hole, value in numbers.items()}
    return {**values, **up, **{f"{hole}_down": str(value - 1) for hole, value in numbers.items()}}
