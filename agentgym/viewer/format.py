"""Numbers and times, short and with their units."""

from __future__ import annotations

from datetime import UTC, datetime

UNKNOWN = "\N{EN DASH}"
NAME_CHARS = 300


def short(text: str) -> str:
    """A name, which may be whatever an agent likes."""
    return text if len(text) <= NAME_CHARS else f"{text[:NAME_CHARS]}…"


def count(value: int | float) -> str:
    """12,345 and 678k."""
    if value < 100_000:
        return f"{value:,.0f}"
    for unit in ("k", "M"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"
    return f"{value / 1000:.1f}G"


def seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if value < 0.0995:
        return f"{1000 * value:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def size(n_bytes: int | float) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 10 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} GB"


def reward(value: float | None) -> str:
    """At most three decimals; a dash where it is unknown."""
    return UNKNOWN if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def tone(value: float | None) -> str:
    """CSS class of a reward."""
    if value is None:
        return "unknown"
    return "good" if value >= 1 else "part" if value > 0 else "bad"


def when(value: datetime | float | None) -> str:
    """UTC, to the minute."""
    if value is None:
        return UNKNOWN
    moment = datetime.fromtimestamp(value, UTC) if isinstance(value, float) else value.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M}"
