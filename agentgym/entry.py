"""Scaffolds, models, exports and commands by name, through the entry points that installed packages declare.

The groups are `agentgym.scaffolds` (a class without arguments, see scaffold.Scaffold, or one with `from_spec`),
`agentgym.models` (a class with `from_spec`), `agentgym.exports` (a function from trajectories to rows) and
`agentgym.commands` (a function as typer reads it, in a module that is quick to import): see `ScaffoldFactory`,
`ModelFactory` and `MakeRows`. This is how the lower floors reach the upper ones: agentgym imports neither `scaffolds`
nor `policy` nor `rl`, and somebody else's package adds to the groups without asking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from agentgym.errors import UsageError
from agentgym.nearest import nearest
from agentgym.protocols import Model

if TYPE_CHECKING:
    from agentgym.scaffold import Scaffold
    from agentgym.trajectory import Trajectory

SCAFFOLDS = "agentgym.scaffolds"
MODELS = "agentgym.models"
EXPORTS = "agentgym.exports"
COMMANDS = "agentgym.commands"


class ModelFactory(Protocol):
    """What an entry point of the models group names."""

    def from_spec(self, rest: str, options: Mapping[str, Any]) -> Model:
        """The model that `rest` (a spec without its kind) and the user's options describe.

        Raises UsageError, or a ValueError of one line where the package does not import agentgym.
        """


class ScaffoldFactory(Protocol):
    """What an entry point of the scaffolds group may name instead of a scaffold."""

    def from_spec(self, rest: str) -> Scaffold:
        """The scaffold that `rest` (a name without its kind) describes. Raises UsageError."""


class MakeRows(Protocol):
    """What an entry point of the exports group names."""

    def __call__(self, trajectories: Iterable[Trajectory], warn: Callable[[str], None]) -> Iterator[Mapping[str, Any]]:
        """Rows of plain data, all with the same keys; `warn` is told what is left out. Raises UsageError."""


def names(group: str) -> list[str]:
    """Every name that is registered in the group, sorted."""
    return sorted({entry.name for entry in entry_points(group=group)})


def commands() -> dict[str, Callable[..., None]]:
    """The commands that other packages bring; one that cannot be loaded says so when it is called."""
    return {name: _command(name) for name in names(COMMANDS)}


def _command(name: str) -> Callable[..., None]:
    try:
        return cast("Callable[..., None]", _load(COMMANDS, "command", name))
    except UsageError as error:
        problem = error

    def broken() -> None:
        """Cannot be loaded."""
        raise problem

    return broken


def make_scaffold(name: str) -> Scaffold:
    """The scaffold registered under `name`, or the one that KIND:REST describes. Raises UsageError."""
    kind, _, rest = name.partition(":")
    found = _load(SCAFFOLDS, "scaffold", kind)
    if hasattr(found, "from_spec") != bool(rest):
        wanted = f"{kind} alone" if rest else f"{kind}:FILE, such as {kind}:my-agent.toml"
        raise UsageError(f"found scaffold {name!r}, wanted {wanted}")
    return cast("Scaffold", found.from_spec(rest) if rest else found())


def load_export(name: str) -> MakeRows:
    """The export registered under `name`. Raises UsageError."""
    return cast(MakeRows, _load(EXPORTS, "export", name))


def make_model(spec: str, options: Mapping[str, Any] | None = None) -> Model:
    """The model that a spec KIND:REST describes, such as `endpoint:gpt-x@http://host:8000/v1`. Raises UsageError."""
    kind, colon, rest = spec.partition(":")
    factory = cast(ModelFactory, _load(MODELS, "model", kind))
    if not colon or not rest:
        raise UsageError(f"model {spec!r} says no more than its kind; wanted KIND:REST, such as replay:runs/a.jsonl")
    try:
        return factory.from_spec(rest, options or {})
    except ValueError as error:
        raise UsageError(f"model {spec}: {error}") from error


def _load(group: str, noun: str, name: str) -> Any:
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if not found:
        known = names(group)
        hint = nearest(name, known, what=noun) or (
            f" (known: {', '.join(known)})"
            if known
            else "; none is registered: `pip install -e .` in agentgym's folder"
        )
        raise UsageError(f"no {noun} is called {name!r}{hint}")
    # an editable install beside an old one lists the same entry twice: that is no conflict
    if len({entry.value for entry in found}) > 1:
        raise UsageError(f"{noun} {name!r} is registered twice: {' and '.join(map(_origin, found))}; uninstall one")
    try:
        return found[0].load()
    except (ImportError, AttributeError) as error:
        origin = _origin(found[0])
        raise UsageError(f"{noun} {name!r} is registered as {origin} but cannot be loaded: {error}") from error


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value} (package {entry.dist.name})" if entry.dist else entry.value
