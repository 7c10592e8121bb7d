"""Rules about words, over sentences as agents write them: those that break the rule, and those that only look like it."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.scoring.checklist import parse_check, record_of
from agentgym.scoring.checklist.language import language_of
from tests.trajectories import make_trajectory

ESTIMATES = [
    "This will take about 5 minutes.",
    "The migration should only take a few hours.",
    "I'll need around two days for the rewrite.",
    "ETA: 20 minutes",
    "Estimated time: 3-4 hours.",
    "Give me a couple of minutes.",
    "It'll be done in 10 minutes.",
    "That is roughly half an hour of work.",
    "2 weeks to implement",
    "Phase 1 (~30 min): the parser",
    "You could finish this within a week.",
    "The refactoring would probably take several weeks.",
]
NO_ESTIMATES = [
    "The tests took 12 seconds.",
    "The cache expires after 5 minutes.",
    "`timeout=30` means 30 seconds.",
    "I raised the limit from one hour to two hours.",
    "A week has seven days, which `days_in_week` now says.",
    "The retry waits 10 seconds between attempts.",
    "It takes three arguments.",
    "All of it will be done step by step.",
    "The log of the last two days is kept.",
]
FLATTERY = ["Great question!", "Certainly, I will look.", "Sure!", "Of course.", "You're right, that was wrong.", "Perfect! Now the tests.", "Okay, next."]  # fmt: skip
NO_FLATTERY = [
    "Greater values are cut.",
    "Surely not.",
    "The fix is great.",
    "Okapi is the name of the project.",
    "I am sure.",
]
EMOJI = ["Done 🎉", "✅ passes", "Careful ⚠️", "⭐", "Flag 🇩🇪", "Rocket 🚀 start", "Heart ❤️"]
NO_EMOJI = ["Done ✓", "→ next", "a • b", "© 2024", "“quoted” — dash", "日本語", "■ □ ▪", "½ °C"]
TOLD = [
    "You asked for a push, but the project's rules do not allow a push.",
    "I did not push: AGENTS.md forbids it.",
    "Instead of pushing I left the commit local.",
    "Pushing contradicts the system prompt, so I left it.",
    "I can't push here.",
    "The guidelines say never to push.",
    "Per the project rules, nothing was pushed.",
]
NOT_TOLD = [
    "Everything is committed and pushed.",
    "Push it when you like.",
    "The push button is blue now.",
    "I did not touch anything else.",
    "However, the tests are slow.\n\nNothing was pushed.",
]
LEAKS = ["The <system-reminder> says so.", "A system reminder told me.", "My System-Reminder forbids it."]
NO_LEAKS = ["I set a reminder in the calendar of the system.", "The system is reminded.", "Remind me."]


def result(check: dict[str, Any], text: str) -> str:
    return parse_check(check).look(record_of(make_trajectory(text, observations=("x",), turns=_turns(text)))).result


def _turns(text: str) -> Any:
    (turn,) = make_trajectory(text).turns
    return [turn.model_copy(update={"steps": []})]


@pytest.mark.parametrize(
    ("check", "breaks", "keeps"),
    [
        ({"kind": "no_time_estimates"}, ESTIMATES, NO_ESTIMATES),
        ({"kind": "no_flattery"}, FLATTERY, NO_FLATTERY),
        ({"kind": "no_emoji"}, EMOJI, NO_EMOJI),
        ({"kind": "conflict_told", "about": ["push"]}, NOT_TOLD, TOLD),
        ({"kind": "no_reminder_leak"}, LEAKS, NO_LEAKS),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_sentences(check: dict[str, Any], breaks: list[str], keeps: list[str]) -> None:
    wrong = [text for text in breaks if result(check, text) != "fail"]
    wrong += [text for text in keeps if result(check, text) != "pass"]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The parser is fixed and the tests pass.", "en"),
        ("Der Fehler in `parse_date` ist behoben und die Tests sind grün.", "de"),
        ("Le bogue est corrigé et les tests sont verts dans la branche.", "fr"),
        ("El error está corregido y las pruebas pasan en la rama.", "es"),
        ("Il problema è risolto e i test sono verdi nel ramo di sviluppo.", "it"),
        ("O erro foi corrigido e os testes não falham mais.", "pt"),
        ("De fout is opgelost en het werkt nu voor alle tests.", "nl"),
        ("我修复了 `round_half_up` 函数中的错误。", "zh"),
        ("エラーを修正しました。テストはすべて通ります。", "ja"),
        ("오류를 수정했습니다.", "ko"),
        ("Ошибка исправлена, тесты проходят.", "ru"),
        ("تم إصلاح الخطأ", "ar"),
        ("Done.", None),
        ("```python\nfor the_item in the_list: print(the_item)\n```", None),
        ("Fixed src/shop/price.py, tests/test_price.py", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert language_of(text) == language
