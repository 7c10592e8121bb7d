"""What ends training; each says in one line what was found, what was wanted and what to do.

TrainingError
├── Diverged       the numbers have gone wrong: nothing was learnt from them, and going on would only make it worse
├── PublishError   an engine did not take new weights
└── StateError     a saved state is missing, damaged, or of another run's kind
"""

from __future__ import annotations


class TrainingError(Exception):
    """The root."""


class Diverged(TrainingError):
    pass


class PublishError(TrainingError):
    pass


class StateError(TrainingError):
    pass
