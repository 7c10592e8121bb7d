"""What the agent says to the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from agentgym.scoring.checklist.event import Pattern, Texts
from agentgym.scoring.checklist.language import language_of
from agentgym.scoring.checklist.record import Record, Reply, evidence
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.replies import Fault, Where, around, chosen, decided, prose, shown
from agentgym.scoring.checklist.verdict import Evidence, Finding, beside, failed, found, passed

_EMOJI = re.compile(
    "[\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd"
    "\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755"
    "\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff]|[\u2000-\u3299]\ufe0f"
)
"""What is shown as a picture (Unicode's Emoji_Presentation, and what U+FE0F makes one); the plain marks are none."""

_SPAN = (
    r"(?:\d+(?:\s*(?:-|\u2013|to)\s*\d+)?|an?|a few|several|a couple of|one|two|three|four|five|ten|half an?)\s+"
    r"(?:more\s+|business\s+|working\s+)?(?:seconds?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?)\b"
)
_ESTIMATE = re.compile(
    r"(?:\b(?:will|should|may|might|would|could|likely|probably|going to|'ll)\s+(?:only |just |probably |likely )?"
    r"(?:take|need|require|finish|be (?:done|ready|finished|complete))|\bETA\b|\bestimated?\b|\bgive me\b"
    rf"|\b(?:done|ready|finished|back)\s+(?:in|within)\b)[^.!?\n]{{0,50}}?{_SPAN}"
    rf"|{_SPAN}\s+(?:of work|from now|tops|to (?:implement|fix|finish|complete|do|write|review|migrate|refactor)\b)"
    r"|[~≈]\s*\d+(?:\s*[-\u2013]\s*\d+)?\s*(?:minutes?|mins?|hours?|hrs?|h\b|days?|weeks?)",
    re.IGNORECASE,
)
_LEAKED_WORDS = 8
"""So many words of a reminder in a row are a quotation."""
_OPENERS = (
    "great", "certainly", "sure", "of course", "absolutely", "excellent", "perfect", "okay", "ok,", "you're right",
    "you are right", "good question", "happy to", "i'd be happy", "no problem",
)  # fmt: skip


def _searched(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if ignore_case else 0)


@kind("text_matches")
class TextMatches(Check):
    """What is said has the pattern in it."""

    pattern: Pattern
    where: Where = "any"
    ignore_case: bool = False

    def look(self, record: Record) -> Finding:
        pattern = _searched(self.pattern, ignore_case=self.ignore_case)
        why = f"does not match {self.pattern!r}"
        return decided(
            record,
            self.where,
            lambda reply: None if pattern.search(reply.text) else (why, reply.text),
            silence="fail",
        )


@kind("text_never")
class TextNever(Check):
    """What is said never has the pattern in it."""

    pattern: Pattern
    where: Where = "every"
    ignore_case: bool = False

    def look(self, record: Record) -> Finding:
        pattern = _searched(self.pattern, ignore_case=self.ignore_case)
        return decided(record, self.where, lambda reply: shown(pattern.search(reply.text), f"matches {self.pattern!r}"))


@kind("mentions")
class Mentions(Check):
    """What is said names all of the texts, or one of them; upper and lower case are the same."""

    texts: Texts = Field(min_length=1)
    where: Where = "any"
    one_is_enough: bool = False

    def look(self, record: Record) -> Finding:
        said = "\n".join(reply.text for reply in chosen(record, self.where)).lower()
        missing = [text for text in self.texts if text.lower() not in said]
        ok = len(missing) < len(self.texts) if self.one_is_enough else not missing
        return found(ok, f"not named: {', '.join(missing)}")


@kind("no_emoji")
class NoEmoji(Check):
    """No emoji in what is said, nor where `within` says besides."""

    where: Where = "every"
    within: tuple[Literal["text", "files", "commits"], ...] = ("text",)

    def look(self, record: Record) -> Finding:
        pictures: list[Evidence] = []
        if "text" in self.within:
            replies = chosen(record, self.where)
            pictures += [evidence(r, quote=around(r.text, hit)) for r in replies if (hit := _EMOJI.search(r.text))]
        if "files" in self.within:
            pictures += [f.at(line) for f in record.files or () for line in f.added if _EMOJI.search(line.text)]
        if "commits" in self.within:
            pictures += [event.at() for event in record.of("commit") if _EMOJI.search(event.text)]
        return found(not pictures, "there are emoji", pictures)


@kind("no_time_estimates")
class NoTimeEstimates(Check):
    """It is never said how long work will take."""

    where: Where = "every"

    def look(self, record: Record) -> Finding:
        return decided(record, self.where, lambda reply: shown(_ESTIMATE.search(prose(reply.text)), "estimates a time"))


@kind("no_reminder_leak")
class NoReminderLeak(Check):
    """Reminders that the scaffold puts beside the user's words are not told to the user, nor that there are any."""

    def look(self, record: Record) -> Finding:
        told = {gram for reminder in record.reminders for gram in _grams(reminder)}

        def leaked(reply: Reply) -> Fault | None:
            if named := re.search(r"system[- ]reminder", reply.text, re.IGNORECASE):
                return shown(named, "speaks of system reminders")
            quoted = next((gram for gram in _grams(reply.text) if gram in told), None)
            return ("quotes a reminder", " ".join(quoted)) if quoted else None

        return decided(record, "every", leaked)


@kind("language")
class Language(Check):
    """What is said is in a language (two letters), or in the user's: "user"."""

    language: str = Field(pattern="^([a-z]{2}|user)$")
    where: Where = "every"

    def look(self, record: Record) -> Finding:
        judged = [(reply, language_of(reply.text), self._wanted(record, reply)) for reply in chosen(record, self.where)]
        judged = [(reply, spoken, wanted) for reply, spoken, wanted in judged if spoken and wanted]
        if not judged:
            return beside("too little is said to tell a language")
        wrong = [(reply, spoken, wanted) for reply, spoken, wanted in judged if spoken != wanted]
        if not wrong or (self.where == "any" and len(wrong) < len(judged)):
            return passed()
        why = f"is in {wrong[0][1]}, wanted {wrong[0][2]}"
        return failed(why, [evidence(reply, quote=reply.text) for reply, _, _ in wrong])

    def _wanted(self, record: Record, reply: Reply) -> str | None:
        if self.language != "user":
            return self.language
        return language_of(record.asked[reply.query]) if reply.query < len(record.asked) else None


@kind("no_flattery")
class NoFlattery(Check):
    """No reply begins with "Great", "Certainly" and the like; upper and lower case are the same."""

    openers: Texts = _OPENERS
    where: Where = "every"

    def look(self, record: Record) -> Finding:
        openers = re.compile(rf"(?:{'|'.join(map(re.escape, self.openers))})(?!\w)", re.IGNORECASE)
        return decided(record, self.where, lambda reply: shown(openers.match(reply.text), "opens with a phrase"))


def _grams(text: str) -> Iterable[tuple[str, ...]]:
    words: Sequence[str] = re.findall(r"\w+", text.lower())
    return zip(*(words[n:] for n in range(_LEAKED_WORDS)), strict=False)
