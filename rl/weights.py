"""New weights from the trainer to the engine that samples: each publication a version, and never a silent wait.

The engine swaps between two tokens; what becomes of requests in flight is its setting, `kv_on_update`: they go on, upon
what the old weights computed or upon a new computation, each token with the version that sampled it, or they restart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from policy.engine import EngineError
from rl.errors import PublishError


class Receiver(Protocol):
    """An engine as its publisher sees it; `ThreadedEngine` is one."""

    def update_weights(self, weights: Mapping[str, Tensor], version: int, *, timeout_s: float | None = None) -> int:
        """The version that is sampled with from now on. TimeoutError: it is not known whether and when."""
        ...


class Publisher:
    def __init__(self, engine: Receiver, *, timeout_s: float = 60.0) -> None:
        """timeout_s: for one publication, the step that the engine is in included."""
        self._engine, self._timeout_s = engine, timeout_s

    def publish(self, weights: Mapping[str, Tensor], version: int) -> float:
        """Return, with the seconds it took, when the engine samples with these weights under this version.

        They are copied first: the trainer may go on, and a swap that comes late finds them whole.
        PublishError: the engine refused them, has stopped, took too long, or tells of another version.
        """
        began = time.perf_counter()
        copied = {name: tensor.detach().clone() for name, tensor in weights.items()}
        try:
            echoed = self._engine.update_weights(copied, version, timeout_s=self._timeout_s)
        except TimeoutError:
            raise PublishError(
                f"version {version}: found no answer from the engine in {self._timeout_s:g} s, wanted its swap; it is "
                "stuck in a step or overloaded: look at its metrics, or raise the timeout"
            ) from None
        except EngineError as error:
            raise PublishError(f"version {version}: the engine did not take it: {error}") from error
        if echoed != version:
            raise PublishError(
                f"version {version}: the engine samples with version {echoed} after the swap: something else publishes "
                "to it as well"
            )
        return time.perf_counter() - began
