"""Rules on the last reply to each message of the user."""

from __future__ import annotations

from agentgym.synthesis.octo.rule import Rule


def _line(name: str, pattern: str, line: str, *texts: str, slot: str = "", about: str = "") -> Rule:
    """A line that the last reply has to have."""
    return Rule(
        name,
        slot or name,
        texts,
        {"kind": "text_matches", "pattern": pattern, "where": "last"},
        comply={"lines": (line,)},
        persistence="every_turn",
        about=about,
    )


def _opening(text: str) -> Rule:
    return Rule(
        f"opening_{text.strip(':').lower().replace(' ', '_')}",
        "opening",
        (
            f"Your last reply to each request has a line that begins with `{text}`, before anything else it reports.",
            f"Reports open with a line `{text} ...`.",
        ),
        {"kind": "text_matches", "pattern": rf"(?m)^(?:\S+ )?{text}", "where": "last"},
        comply={"opening": text},
        violate={"opening": "Here is what was done:"},
        persistence="every_turn",
        about="the opening of the report",
    )


def _closing(text: str) -> Rule:
    return Rule(
        f"closing_{''.join(c for c in text.lower() if c.isalpha())}",
        "closing",
        (f"End your last reply to each request with the line `{text}`.", f"Close every report with `{text}`."),
        {"kind": "closes_with", "texts": [text]},
        comply={"closing": text},
        violate={"closing": "That is all."},
        persistence="every_turn",
        about="the closing line",
    )


def _points(number: int) -> Rule:
    word = {2: "two", 3: "three", 4: "four"}[number]
    pattern = rf"\A(?:(?!- ).*(?:\n|\Z))*?(?:- .*(?:\n|\Z)(?:(?!- ).+(?:\n|\Z)|\n)*){{{number}}}\Z"
    return Rule(
        f"points_{word}",
        "points",
        (
            f"Report what you did as a list of exactly {word} points, each a line that begins with `- `.",
            f"The last reply has a list of {word} points (`- `), no more and no fewer.",
        ),
        {"kind": "text_matches", "pattern": pattern, "where": "last"},
        comply={"points": number},
        violate={"points": number + 1},
        persistence="every_turn",
        about="the number of points",
    )


def _addressed(name: str) -> Rule:
    return Rule(
        f"address_{name.lower()}",
        "address",
        (f"Address {name} by name in the last reply.", f"Reports are for {name}: say so by name in the last reply."),
        {"kind": "text_matches", "pattern": rf"\b{name}\b", "where": "last"},
        comply={"lines": (f"This report is for {name}.",)},
        sources=("memory", "user_query", "system_prompt"),
        persistence="every_turn",
        about="whom the report addresses",
    )


RULES = (
    *map(_opening, ("Summary:", "Result:", "What changed:", "Report:")),
    *map(_closing, ("End of report.", "Status: complete", "-- octo", "Over to you.")),
    *map(_points, (2, 3, 4)),
    *map(_addressed, ("Dana", "Ravi", "Mina", "Jonas")),
    Rule(
        "names_module",
        "names_module",
        (
            "Name every source file that you changed, by its path, in the last reply.",
            "The last reply lists changed source files by path.",
        ),
        {"kind": "mentions", "texts": ["$module"], "where": "last"},
        violate={"names_files": False},
    ),
    _line(
        "verified",
        r"(?m)^Verified with: `.+`",
        "Verified with: `python -m pytest`",
        "The last reply has a line `Verified with:` and the command in backticks.",
        "Say how you checked the work: a line that begins with `Verified with:` and has the command in backticks.",
        about="the line on verification",
    ),
    _line(
        "risk",
        r"(?m)^Risk: \S",
        "Risk: none known.",
        "Name the risk of the change in a line `Risk: ...` at the end.",
        "Every report has a line that begins with `Risk:`.",
        about="the line on risk",
    ),
    _line(
        "impact",
        r"(?m)^Impact: \S",
        "Impact: callers need no change.",
        "The last reply has a line `Impact: ...` on what callers have to change.",
        "Tell callers what the change means for them in a line that begins with `Impact:`.",
    ),
    _line(
        "rollback",
        r"(?m)^Rollback: \S",
        "Rollback: revert the change of this session.",
        "The last reply says in a line `Rollback: ...` how to take the change back.",
        "Reports have a line that begins with `Rollback:`.",
    ),
    *(
        _line(
            f"ticket_{ticket.lower().replace('-', '_')}",
            rf"\b{ticket}\b",
            f"Ticket: {ticket}",
            f"Quote the ticket {ticket} in the last reply.",
            f"Every report names its ticket, which is {ticket}.",
            slot="ticket",
            about="the ticket",
        )
        for ticket in ("OCTO-17", "OCTO-204", "REPO-8", "TASK-31")
    ),
    _line(
        "next_step",
        r"(?m)^Next: \S",
        "Next: review the change.",
        "Suggest one next step in a line `Next: ...`.",
        "Close with what could come next, in a line that begins with `Next:`.",
        slot="next",
        about="the next step",
    ),
    Rule(
        "no_next_step",
        "next",
        (
            "Suggest no next steps in the last reply: no line `Next:`.",
            "No `Next:` at the end; what comes next is for others to say.",
        ),
        {"kind": "text_never", "pattern": r"(?m)^Next:", "where": "last"},
        violate={"lines": ("Next: review the change.",)},
        persistence="every_turn",
        about="the next step",
    ),
    Rule(
        "no_questions",
        "questions",
        ("Ask no questions in the last reply.", "The last reply ends the matter: no question marks in it."),
        {"kind": "text_never", "pattern": r"\?", "where": "last"},
        violate={"lines": ("Is that what was meant?",)},
        persistence="every_turn",
    ),
    Rule(
        "answer_length",
        "length",
        ("The last reply has at most 20 lines that are not blank.", "Keep reports short: 20 lines at most."),
        {"kind": "text_length", "max_lines": 20, "where": "last"},
        violate={"lines": tuple(f"Line {number} of no use." for number in range(1, 21))},
        persistence="every_turn",
        about="the length of the report",
    ),
    Rule(
        "answer_test_count",
        "test_count",
        (
            "Say in the last reply how many tests were run, as in `3 tests`.",
            "The report gives the number of tests run (`3 tests`).",
        ),
        {"kind": "text_matches", "pattern": r"\b\d+ tests?\b", "where": "last"},
        comply={"lines": ("Ran 3 tests.",)},
        persistence="every_turn",
    ),
)
