"""What ends training; each says in one line what was found, what was wanted and what to do.

TrainingError
├── ConfigProblems a config, or what it names, is wrong: every problem at once, one line each
├── NothingToLearn groups come to nothing, one after the other
├── Diverged       the numbers have gone wrong: nothing was learnt from them, and going on would only make it worse
├── PublishError   an engine did not take new weights
└── StateError     a saved state is missing, damaged, or of another run's kind
"""

from __future__ import annotations

from collections.abc import Sequence


class TrainingError(Exception):
    """The root."""


class ConfigProblems(TrainingError):
    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class NothingToLearn(TrainingError):
    pass


class Diverged(TrainingError):
    pass


class PublishError(TrainingError):
    pass


class StateError(TrainingError):
    pass
