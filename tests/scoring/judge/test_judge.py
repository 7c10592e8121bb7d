"""The judge with small fake models: what counts, what is asked again, what is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentgym.errors import UsageError
from agentgym.scoring.judge import Answers, Judge, JudgeConfig, Question
from agentgym.scoring.judge.question import make_sheet
from agentgym.scoring.judge.transcript import transcript
from agentgym.verdict import Evidence
from tests.scoring.judge.fakes import FakeJudge, Says, down, honest
from tests.scoring.judge.sheets import Asked, read_sheet
from tests.trajectories import make_trajectory

RECORD = make_trajectory("I look at the code first.", "I am done with the work.", observations=("a file of numbers",))
QUESTIONS = [Question(f"item-{n}", f"Does it do thing {n}?") for n in range(25)]
ANSWERS = {
    question.text: ("pass", "I look at  the code") if n % 2 else ("fail", "a file of\nnumbers")
    for n, question in enumerate(QUESTIONS)
}


def judge(says: Says, **config: object) -> tuple[Judge, FakeJudge]:
    model = FakeJudge(says)
    return Judge(model, JudgeConfig.model_validate(config)), model


def test_every_question_gets_a_verdict_with_its_place_in_the_record() -> None:
    judge_, model = judge(honest(ANSWERS))
    judgement = judge_.judge(QUESTIONS, RECORD)
    assert [verdict.item for verdict in judgement.verdicts] == [question.item for question in QUESTIONS]
    assert [verdict.result for verdict in judgement.verdicts] == [ANSWERS[question.text][0] for question in QUESTIONS]
    first, second = judgement.verdicts[:2]
    assert second.evidence == (Evidence(turn=0, call=0, quote="I look at  the code"),)
    # what a command printed is of the turn that ran it, and came with the next call
    assert (first.evidence[0].turn, first.evidence[0].call, first.why) == (0, 1, "because")
    assert [len(sheet.questions) for sheet in model.sheets] == [10, 10, 8]  # the control included


def test_the_tokens_and_their_cost_are_on_record() -> None:
    judge_, _ = judge(honest(ANSWERS), prompt_price_usd=2.0, completion_price_usd=10.0)
    judging = judge_.judge(QUESTIONS, RECORD).judging
    assert (judging.n_calls, judging.prompt_tokens, judging.completion_tokens) == (3, 3000, 150)
    assert judging.cost_usd == pytest.approx(3000 * 2e-6 + 150 * 10e-6)
    assert judge(honest(ANSWERS))[0].judge(QUESTIONS, RECORD).judging.cost_usd is None


def test_order_and_names_differ_from_vote_to_vote() -> None:
    judge_, model = judge(honest(ANSWERS), votes=3)
    judge_.judge(QUESTIONS[:6], RECORD)
    orders = [list(sheet.questions.values()) for sheet in model.sheets]
    plain = [[text for text in order if "thing" in text] for order in orders]
    assert len({tuple(order) for order in plain}) == 3
    names = [set(sheet.questions) for sheet in model.sheets]
    assert not names[0] & names[1]
    assert len({sheet.fence for sheet in model.sheets}) == 3


def test_one_failure_voids_no_sibling() -> None:
    def says(asked: Asked) -> object:
        if "Does it do thing 3?" in asked.questions.values():
            return "I'd rather write prose."
        return honest(ANSWERS)(asked)

    judge_, model = judge(says)
    verdicts = {verdict.item: verdict for verdict in judge_.judge(QUESTIONS, RECORD).verdicts}
    broken = verdicts.pop("item-3")
    assert broken.result == "error"
    assert "wanted a JSON object" in broken.why
    assert {verdict.result for verdict in verdicts.values()} == {"pass", "fail"}
    assert [len(sheet.questions) for sheet in model.sheets] == [10, 10, 8, 4, 4, 4, 2, 2, 2]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"verdict": "pass", "quote": "words that nobody wrote"}, "its quote is not in the record"),
        ({"verdict": "fail", "quote": ""}, "its quote is not in the record"),
        ({"verdict": "pass"}, "its quote is not in the record"),
        ({"verdict": "pass", "quote": "the"}, "its quote is not in the record"),
        ({"verdict": "pass", "quote": "Fix it."}, "its quote is not in the record"),  # that is what it was told
        ({"verdict": "maybe", "quote": "I look at the code"}, "the judge said 'maybe'"),
        ({"verdict": "error", "quote": "I look at the code"}, "the judge said 'error'"),
        (None, "the judge gave no verdict"),
    ],
)
def test_what_is_not_shown_is_an_error(entry: dict[str, str] | None, why: str) -> None:
    def says(asked: Asked) -> object:
        said = honest({"Q?": ("pass", "x")})(asked)
        entries = said["verdicts"]  # type: ignore[index]
        control = [e for e in entries if e["why"] == "looked"]
        own = [e for e in entries if e["why"] != "looked"]
        return {"verdicts": control + ([{"id": own[0]["id"], **entry}] if entry else [])}

    [verdict] = judge(says)[0].judge([Question("item", "Q?")], RECORD).verdicts
    assert verdict.result == "error"
    assert why in verdict.why


def test_what_does_not_apply_needs_no_quote() -> None:
    [verdict] = judge(honest({"Q?": ("not_applicable", "")}))[0].judge([Question("item", "Q?")], RECORD).verdicts
    assert (verdict.result, verdict.evidence) == ("not_applicable", ())


def test_invented_verdicts_are_dropped() -> None:
    def says(asked: Asked) -> object:
        said: dict[str, list[object]] = honest({"Q?": ("fail", "I look at the code")})(asked)  # type: ignore[assignment]
        said["verdicts"][:0] = [{"id": "item", "verdict": "pass", "quote": "I look at the code"}, "noise", {"id": 7}]
        return said

    judgement = judge(says)[0].judge([Question("item", "Q?")], RECORD)
    assert [(verdict.item, verdict.result) for verdict in judgement.verdicts] == [("item", "fail")]


def test_a_judge_that_is_down_is_an_error_and_no_exception() -> None:
    [verdict] = judge(down)[0].judge(QUESTIONS[:1], RECORD).verdicts
    assert verdict.result == "error"
    assert "the judge's server is down" in verdict.why


def test_answers_are_kept_and_replayed_without_a_model(tmp_path: Path) -> None:
    model = FakeJudge(honest(ANSWERS))
    config = JudgeConfig(votes=2, rule="min")
    first = Judge(model, config, answers=Answers(tmp_path / "a.jsonl")).judge(QUESTIONS, RECORD)
    n_asked = len(model.sheets)
    again = Judge(model, config, answers=Answers(tmp_path / "a.jsonl")).judge(QUESTIONS, RECORD)
    offline = Judge(None, config, answers=Answers(tmp_path / "a.jsonl")).judge(QUESTIONS, RECORD)
    assert len(model.sheets) == n_asked == 6
    assert first.verdicts == again.verdicts == offline.verdicts
    assert (again.judging.n_cached, again.judging.prompt_tokens) == (6, 0)
    assert offline.judging.model == "replay:a"
    # another record is another question
    [verdict] = Judge(None, answers=Answers(tmp_path / "a.jsonl")).judge(QUESTIONS[:1], make_trajectory("x")).verdicts
    assert "no answer to these questions is on record" in verdict.why
    # and another model's answers are not this one's
    other = FakeJudge(honest(ANSWERS), name="other")
    Judge(other, config, answers=Answers(tmp_path / "a.jsonl")).judge(QUESTIONS, RECORD)
    assert len(other.sheets) == 6


def test_a_torn_answer_is_stepped_over_and_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    Judge(FakeJudge(honest(ANSWERS)), answers=Answers(file)).judge(QUESTIONS[:3], RECORD)
    file.write_bytes(file.read_bytes() + b'{"key": "x", "mo')
    assert len(Answers(file)) == 1
    file.write_text(json.dumps({"id": 1}) + "\n")
    with pytest.raises(UsageError, match=r"a\.jsonl:1: no answer of a judge"):
        Answers(file)


def test_a_batch_is_no_larger_than_ten() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 10"):
        JudgeConfig(batch=11)


def test_a_sheet_is_the_same_for_the_same_question_and_its_control_is_no_item() -> None:
    shown = transcript(RECORD)
    one, same, other = (make_sheet(shown, QUESTIONS[:5], vote, 0) for vote in (0, 0, 1))
    assert one == same
    assert one.messages != other.messages
    asked = read_sheet(one.messages)
    assert asked.record.strip() == shown.text(asked.mark)
    assert {*one.items, one.control} == {*asked.questions}
    assert one.control not in one.items
