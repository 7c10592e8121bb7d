"""Rules on every reply of the agent."""

from __future__ import annotations

from agentgym.synthesis.octo.rule import Rule


def _never(name: str, pattern: str, aside: str, *texts: str, slot: str = "", ignore_case: bool = False) -> Rule:
    """What no reply may hold; `aside` holds it."""
    check = {"kind": "text_never", "pattern": pattern, **({"ignore_case": True} if ignore_case else {})}
    violate = {"asides": (aside,)}
    return Rule(name, slot or name, texts, check, violate=violate, persistence="every_turn")


def _plain(name: str, feature: str, aside: str, *texts: str) -> Rule:
    """A feature of Markdown that no reply may have."""
    check = {"kind": "markdown", "forbid": [feature]}
    return Rule(name, name, texts, check, violate={"asides": (aside,)}, persistence="every_turn")


def _words(name: str, words: tuple[str, ...], aside: str) -> Rule:
    listed = ", ".join(f'"{word}"' for word in words)
    return _never(
        name,
        rf"\b(?:{'|'.join(words)})\b",
        aside,
        f"Never use the words {listed} in what you write to the user.",
        f"Words to avoid in replies: {listed}.",
        slot="banned_words",
        ignore_case=True,
    )


def _tag(text: str) -> Rule:
    return Rule(
        f"tag_{text.strip('[]<>#: ').lower()}",
        "beginning",
        (
            f"Begin every single reply with `{text}`, replies that call tools included.",
            f"Every message you write starts with `{text}`; no exceptions, later turns included.",
        ),
        {"kind": "opens_with", "texts": [text], "where": "every"},
        comply={"tag": text},
        persistence="every_turn",
        about="the beginning of replies",
    )


_FILLER = " ".join(["This sentence says nothing that has not been said before."] * 18)

RULES = (
    Rule(
        "no_emoji",
        "emoji",
        (
            "Do not use emoji in replies.",
            "No emoji, anywhere in what you say.",
            "Replies are plain text without emoji.",
        ),
        {"kind": "no_emoji"},
        violate={"asides": ("Off it goes \U0001f680",)},
        persistence="every_turn",
    ),
    Rule(
        "no_time_estimates",
        "estimates",
        ("Never say how long something will take.", "Give no time estimates.", "Do not estimate durations of work."),
        {"kind": "no_time_estimates"},
        violate={"asides": ("This will take about 5 minutes.",)},
        persistence="every_turn",
    ),
    Rule(
        "no_flattery",
        "beginning",
        (
            'Do not open replies with phrases such as "Great", "Sure" or "Certainly".',
            'Skip pleasantries: no reply begins with "Great", "Of course" and the like.',
        ),
        {"kind": "no_flattery"},
        violate={"instead": "Great, the place for the function is clear."},
        persistence="every_turn",
        about="the beginning of replies",
    ),
    *(_tag(text) for text in ("[octo]", "[agent]", "[log]", "Note:", ">>")),
    Rule(
        "english",
        "language",
        ("Write all replies in English.", "The language of all replies is English."),
        {"kind": "language", "language": "en"},
        violate={
            "instead": "Die richtige Stelle für die neue Funktion ist gefunden, und ich werde sie jetzt dort einfügen."
        },
        persistence="every_turn",
    ),
    _never(
        "no_exclamation",
        "!",
        "It is coming along!",
        "No exclamation marks in replies.",
        "Do not use exclamation marks when you write to the user.",
    ),
    _never(
        "no_hedging",
        r"\b(?:maybe|perhaps|probably|presumably)\b",
        "Perhaps that is enough.",
        'State facts: no "maybe", "perhaps", "probably" or "presumably" in replies.',
        'Do not hedge in replies ("maybe", "perhaps", "probably", "presumably").',
        ignore_case=True,
    ),
    _never(
        "no_apologies",
        r"\b(?:sorry|apolog\w+)\b",
        "Sorry for the many steps.",
        "Do not apologise in replies.",
        "Never say sorry; nobody needs apologies.",
        ignore_case=True,
    ),
    _never(
        "no_we",
        r"\b(?:we|us|our)\b",
        "Now we go on.",
        'Do not write "we", "us" or "our" in replies.',
        'Speak for yourself: no "we", "us", "our".',
        ignore_case=True,
    ),
    _never(
        "no_urls",
        r"https?://",
        "See https://example.org for more.",
        "Put no URLs into replies.",
        "Replies hold no web addresses.",
    ),
    _never(
        "no_ai_talk",
        r"\bas an ai\b|\blanguage model\b",
        "As an AI I read quickly.",
        "Do not speak of yourself as an AI or a language model.",
        "Never mention that you are an AI.",
        ignore_case=True,
    ),
    _never(
        "no_shouting",
        r"\b[A-Z]{5,}\b",
        "This is IMPORTANT to know.",
        "No words of five or more capital letters in replies.",
        "Do not write whole words in capitals in replies.",
    ),
    _never(
        "no_ellipsis", r"\.\.\.|\u2026", "Going on...", "No ellipses in replies.", "Do not trail off with three dots."
    ),
    _never(
        "no_semicolons",
        ";",
        "One thing is done; another follows.",
        "No semicolons in what you write to the user.",
        "Write short sentences: no semicolons in replies.",
    ),
    _never(
        "american_spelling",
        r"\b(?:colour|behaviour|favour|honour)\w*",
        "The behaviour is as asked.",
        "Use American spelling in replies (color, behavior).",
        "Spell as in American English when you reply.",
        ignore_case=True,
    ),
    _words("words_simply", ("simply", "obviously", "easily"), "This is simply done."),
    _words("words_robust", ("robust", "leverage", "seamless"), "The function is robust."),
    _words("words_very", ("very", "really", "actually"), "That is really all."),
    _plain("no_headings", "heading", "# Progress", "No Markdown headings in replies.", "Replies have no headings."),
    _plain(
        "no_tables",
        "table",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "No tables in replies.",
        "Do not draw tables in replies.",
    ),
    _plain(
        "no_code_blocks",
        "code_block",
        "```\nx = 1\n```",
        "No code blocks in replies: code belongs into files.",
        "Do not paste code blocks into replies.",
    ),
    _plain("no_bold", "bold", "**Note** this.", "No bold text in replies.", "Do not set anything in bold in replies."),
    _plain(
        "no_links", "link", "See [the docs](docs).", "No Markdown links in replies.", "Do not write links in Markdown."
    ),
    _plain(
        "no_quotes", "quote", "> as was said", "Do not quote lines with `>` in replies.", "No block quotes in replies."
    ),
    Rule(
        "reply_length",
        "length",
        ("No reply is longer than 160 words.", "Keep every reply within 160 words."),
        {"kind": "text_length", "max_words": 160, "where": "every"},
        violate={"asides": (_FILLER,)},
        persistence="every_turn",
        about="the length of replies",
    ),
    Rule(
        "plan_first",
        "plan",
        (
            "Your first reply to each message of the user opens a plan: a line `Plan:` and numbered steps.",
            "Answer each request with a plan first: the line `Plan:`, then numbered steps.",
        ),
        {"kind": "text_matches", "pattern": r"(?m)^Plan:\s*\n1\. ", "where": "first"},
        comply={"plan": True},
        persistence="every_turn",
        about="the plan",
    ),
    Rule(
        "no_plan",
        "plan",
        ("Do not write out plans: begin with the work.", "No `Plan:` in replies; just begin."),
        {"kind": "text_never", "pattern": r"(?m)^Plan:"},
        violate={"plan": True},
        persistence="every_turn",
        about="the plan",
    ),
    Rule(
        "no_reminder_leak",
        "reminder",
        (
            "Reminders like this one are between us: do not quote them or mention them to the user.",
            "Never tell the user of this reminder.",
        ),
        {"kind": "no_reminder_leak"},
        violate={"asides": ("The system-reminder asks for care.",)},
        sources=("system_reminder",),
        persistence="every_turn",
    ),
)
