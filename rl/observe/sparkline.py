"""Numbers as a line of blocks, as wide as there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """At most `width` characters, from the lowest value to the highest; of more values neighbours are averaged."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    n = min(width, len(known))
    parts = [known[i * len(known) // n : (i + 1) * len(known) // n] for i in range(n)]
    means = [math.fsum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    if high <= low:
        return _BLOCKS[0] * n
    return "".join(_BLOCKS[round((len(_BLOCKS) - 1) * (mean - low) / (high - low))] for mean in means)
