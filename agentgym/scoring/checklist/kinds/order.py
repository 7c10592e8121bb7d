"""What comes before what."""

from __future__ import annotations

from agentgym.scoring.checklist.event import EventMatch, Paths, path_matches
from agentgym.scoring.checklist.record import Event, Record, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, beside, found, undecided


@kind("read_before_edit")
class ReadBeforeEdit(Check):
    """A file is read in an earlier reply before it is changed; what the agent itself wrote it knows."""

    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        changes = [
            e for e in record.of("edit", "write") if e.path and (not self.paths or path_matches(e.path, self.paths))
        ]
        if any(change.action == "write" for change in changes) and record.files is None:
            return undecided("what was changed is not on record: a file that is written may be new")
        new = {file.path for file in record.files or () if file.kind == "new"}
        here = {file.path for file in record.files or ()}
        # a file that is written whole and is no part of what changed in the work directory was never the project's
        changes = [e for e in changes if e.path not in new and (e.action == "edit" or e.path in here)]
        if not changes:
            return beside("no file that was there is changed")
        blind = [change for change in changes if not _knows(record, change)]
        return found(not blind, "changed without having been read", places(blind))


def _knows(record: Record, change: Event) -> bool:
    for event in record.events[: record.events.index(change)]:
        if event.path != change.path or (event.use.refused and not event.by_shell):
            continue
        if event.action == "write" or (event.action == "read" and event.reply.number < change.reply.number):
            return True
    return False


@kind("precedes")
class Precedes(Check):
    """Whenever the later event happens, the first one has happened before."""

    first: EventMatch
    later: EventMatch

    def look(self, record: Record) -> Finding:
        later = self.later.among(record)
        if not later:
            return beside(f"there was no {self.later.said}")
        places_of_first = [event.place for event in self.first.among(record)]
        early = [event for event in later if not places_of_first or event.place < places_of_first[0]]
        return found(not early, f"no {self.first.said} before {self.later.said}", places(early))


@kind("followed_by")
class FollowedBy(Check):
    """After each event the next one comes, at some time or within so many replies."""

    event: EventMatch
    next: EventMatch
    within_replies: int | None = None

    def look(self, record: Record) -> Finding:
        events, following = self.event.among(record), self.next.among(record)
        if not events:
            return beside(f"there was no {self.event.said}")
        alone = [event for event in events if not any(self._follows(event, later) for later in following)]
        return found(not alone, f"no {self.next.said} after {self.event.said}", places(alone))

    def _follows(self, event: Event, later: Event) -> bool:
        near = self.within_replies is None or later.reply.number - event.reply.number <= self.within_replies
        return later.place > event.place and near


@kind("first_is")
class FirstIs(Check):
    """The first thing that is done; with `of`, the first of those."""

    event: EventMatch
    of: EventMatch = EventMatch()

    def look(self, record: Record) -> Finding:
        events = [event for event in record.events if event.reply.main and self.of.fits(event)]
        if not events:
            return beside("nothing was done")
        first = [event for event in events if event.use is events[0].use]  # a command, and what it does
        return found(any(map(self.event.fits, first)), f"the first is no {self.event.said}", [events[0].at()])


@kind("last_is")
class LastIs(Check):
    """The last thing that is done, handing in aside; with `of`, the last of those."""

    event: EventMatch
    of: EventMatch = EventMatch()

    def look(self, record: Record) -> Finding:
        done = [event for event in record.events if event.reply.main and event.action != "submit"]
        events = [event for event in done if self.of.fits(event)]
        if not events:
            return beside("nothing was done")
        last = [event for event in events if event.use is events[-1].use]
        return found(any(map(self.event.fits, last)), f"the last is no {self.event.said}", [events[-1].at()])
