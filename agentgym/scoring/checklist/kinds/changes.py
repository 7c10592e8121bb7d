"""The shape of what is changed: which files, how many lines, what stands in them. Python's own matters: `code.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from agentgym.scoring.changes import is_protected
from agentgym.scoring.checklist.event import Paths, Pattern, path_matches
from agentgym.scoring.checklist.files import FileDelta
from agentgym.scoring.checklist.record import Action, Event, Record, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Evidence, Finding, beside, failed, found, undecided

UNKNOWN = "what was changed is not on record"


def among(files: Sequence[FileDelta], paths: Sequence[str]) -> list[FileDelta]:
    """Those that fit one of the patterns; all of them where there is none."""
    return [file for file in files if not paths or path_matches(file.path, paths)]


def beside_patch(record: Record, *actions: Action) -> list[Event]:
    """Changes of files that no patch shows: those whose names could change how tests are run."""
    events = (event for event in record.of(*actions) if event.path and not event.path.startswith(("/", "..")))
    return [event for event in events if is_protected(event.path, ()) and (event.by_shell or not event.use.refused)]


@kind("path_changed")
class PathChanged(Check):
    """Some file of each pattern is different at the end, or new."""

    paths: Paths = Field(min_length=1)
    new: bool = False
    """It has to be new."""

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        kinds = ("new",) if self.new else ("new", "modified")
        changed = [file for file in record.files if file.kind in kinds]
        left_out = [] if self.new else beside_patch(record, "edit", "write")
        missing = [
            path
            for path in self.paths
            if not among(changed, [path]) and not any(path_matches(event.path, [path]) for event in left_out)
        ]
        shown = [file.at() for file in among(changed, self.paths)]
        return found(not missing, f"not {'new' if self.new else 'changed'}: {', '.join(missing)}", shown)


@kind("path_untouched")
class PathUntouched(Check):
    """The files are what they were, and nothing was ever written to them."""

    paths: Paths = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        events = [e for e in record.of("edit", "write", "delete") if path_matches(e.path, self.paths)]
        shown = [*places(events), *(file.at() for file in among(record.files or (), self.paths))]
        if not shown and record.files is None:
            return undecided(UNKNOWN)
        return found(not shown, "touched", shown)


@kind("path_unread")
class PathUnread(Check):
    """The files are never looked into."""

    paths: Paths = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        events = [event for event in record.of("read", "search") if path_matches(event.path, self.paths)]
        return found(not events, "read", places(events))


@kind("only_paths")
class OnlyPaths(Check):
    """Nothing is different at the end but these."""

    paths: Paths = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        others = [(file.path, file.at()) for file in record.files if not path_matches(file.path, self.paths)]
        left_out = beside_patch(record, "edit", "write", "delete")
        others += [(event.path, event.at()) for event in left_out if not path_matches(event.path, self.paths)]
        return found(not others, f"changed: {', '.join(path for path, _ in others)}", [place for _, place in others])


@kind("no_new_files")
class NoNewFiles(Check):
    """No file is new at the end, those that are excepted aside."""

    paths: Paths = ()
    """Only these; all where none are stated."""
    but: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        new = [file for file in among(record.files, self.paths) if file.kind == "new"]
        new = [file for file in new if not (self.but and path_matches(file.path, self.but))]
        return found(not new, f"new: {', '.join(file.path for file in new)}", [file.at() for file in new])


@kind("no_deleted_files")
class NoDeletedFiles(Check):
    """No file is gone at the end."""

    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        gone = [file for file in among(record.files, self.paths) if file.kind == "deleted"]
        return found(not gone, f"deleted: {', '.join(file.path for file in gone)}", [file.at() for file in gone])


@kind("change_size")
class ChangeSize(Check):
    """How much is different at the end."""

    paths: Paths = ()
    max_files: int | None = Field(default=None, ge=0)
    min_files: int = Field(default=0, ge=0)
    max_added_lines: int | None = Field(default=None, ge=0)
    max_removed_lines: int | None = Field(default=None, ge=0)

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        files = among(record.files, self.paths)
        n_added = sum(1 for file in files for _ in file.added)
        n_removed = sum(len(file.removed) for file in files)
        shown = [file.at() for file in files]
        sizes = (
            (len(files), self.max_files, "files"),
            (n_added, self.max_added_lines, "added lines"),
            (n_removed, self.max_removed_lines, "removed lines"),
        )
        for size, limit, what in sizes:
            if limit is not None and size > limit:
                return failed(f"{size} {what}, wanted at most {limit}", shown)
        return found(len(files) >= self.min_files, f"{len(files)} files, wanted at least {self.min_files}", shown)


@kind("added_lines_match")
class AddedLinesMatch(Check):
    """Some added line has the pattern in it, or so many."""

    pattern: Pattern
    paths: Paths = ()
    at_least: int = Field(default=1, ge=1)

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        shown = _lines(record.files, self.paths, self.pattern)
        return found(len(shown) >= self.at_least, f"{len(shown)} added lines match {self.pattern!r}", shown)


@kind("added_lines_never")
class AddedLinesNever(Check):
    """No added line has the pattern in it."""

    pattern: Pattern
    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        shown = _lines(record.files, self.paths, self.pattern)
        return found(not shown, f"{len(shown)} added lines match {self.pattern!r}", shown)


@kind("lines_kept")
class LinesKept(Check):
    """No line that has the pattern in it is taken away."""

    pattern: Pattern
    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        gone = [
            Evidence(file=file.path, quote=text)
            for file in among(record.files, self.paths)
            for text in file.removed
            if re.search(self.pattern, text)
        ]
        return found(not gone, f"{len(gone)} lines that match {self.pattern!r} are gone", gone)


@kind("line_length")
class LineLength(Check):
    """How long added lines are."""

    max_chars: int = Field(ge=1)
    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        long = _lines(record.files, self.paths, f"^.{{{self.max_chars + 1}}}")
        return found(not long, f"{len(long)} added lines of more than {self.max_chars} characters", long)


@kind("file_opens_with")
class FileOpensWith(Check):
    """New files begin with what the pattern says, a licence's line for one; it is searched for in the first lines."""

    pattern: Pattern
    paths: Paths = ()
    n_lines: int = Field(default=1, ge=1)

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        new = [file for file in among(record.files, self.paths) if file.kind == "new" and file.lines]
        if not new:
            return beside("no such file is new")
        wrong = [
            file
            for file in new
            if not re.search(self.pattern, "\n".join(line.text for line in file.lines[: self.n_lines]), re.MULTILINE)
        ]
        return found(not wrong, f"does not begin with {self.pattern!r}", [file.at(file.lines[0]) for file in wrong])


def _lines(files: Sequence[FileDelta], paths: Sequence[str], pattern: str) -> list[Evidence]:
    search = re.compile(pattern).search
    return [file.at(line) for file in among(files, paths) for line in file.added if search(line.text)]
