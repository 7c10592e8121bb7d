"""Decides the items that no program decides, by asking a model about the record.

Every vote asks in another order and under other names. What has no verdict after an answer is asked again in smaller
batches, at last alone, so that one failure voids no sibling; what has none then is an error. It knows no checklists.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from agentgym.errors import ModelError
from agentgym.gateway import Gateway
from agentgym.protocols import Model, Reply, Usage
from agentgym.scoring.judge.answer import Unusable, read_answer
from agentgym.scoring.judge.answers import Answers
from agentgym.scoring.judge.question import Question, Sheet, make_sheet
from agentgym.scoring.judge.transcript import Transcript, transcript
from agentgym.scoring.judge.votes import Rule, counted
from agentgym.trajectory import Trajectory
from agentgym.verdict import Judging, Verdict

SHRINK = 3
"""By what a batch is smaller when it is asked again."""


class JudgeConfig(BaseModel):
    """How a judge is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    votes: int = Field(default=1, ge=1)
    """Of each item."""
    rule: Rule = "majority"
    batch: int = Field(default=10, ge=2, le=10)
    """Questions in one call at most, the control included."""
    retries: int = Field(default=2, ge=0)
    """How often an item without a verdict is asked again, in each vote."""
    transcript_chars: int = Field(default=200_000, gt=0)
    """Shown of a record."""
    prompt_price_usd: float | None = Field(default=None, ge=0)
    """Of a million tokens; the cost is on record where both are given."""
    completion_price_usd: float | None = Field(default=None, ge=0)
    """Of a million tokens."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge came to."""

    verdicts: list[Verdict]
    """One for each question, in their order."""
    judging: Judging


@dataclass(slots=True)
class _Tally:
    n_calls: int = 0
    n_cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, usage: Usage | None) -> None:
        """A call; None: answered before."""
        self.n_calls += 1
        if usage is None:
            self.n_cached += 1
        else:
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens


class Judge:
    """Safe to share between threads where its model is."""

    def __init__(
        self, model: Model | None, config: JudgeConfig | None = None, *, answers: Answers | None = None
    ) -> None:
        """`answers`: what was answered before is not asked again. Without a model they are all there is."""
        self.config = config or JudgeConfig()
        self.name = model.name if model else f"replay:{answers.path.stem}" if answers else "none"
        self._model, self._answers = model, answers
        self._gateway = Gateway()

    def close(self) -> None:
        """End what the model holds open, where it does."""
        self._gateway.close()
        close = getattr(self._model, "close", None)
        if close is not None:
            close()

    def judge(self, questions: Sequence[Question], trajectory: Trajectory) -> Judgement:
        """A verdict for each question; what the judge fails to decide is an error."""
        config, tally = self.config, _Tally()
        shown = transcript(trajectory, config.transcript_chars)
        given: dict[str, list[Verdict]] = {question.item: [] for question in questions}
        session = self._gateway.open(self._model, judged=trajectory.id) if self._model and questions else None
        try:
            for vote in range(config.votes):
                for item, verdict in self._vote(questions, shown, vote, session, tally).items():
                    given[item].append(verdict)
        finally:
            if session is not None:
                self._gateway.forget(session)
        verdicts = [
            counted(item, votes, config.votes, config.rule, tally.problems.get(item, ""))
            for item, votes in given.items()
        ]
        return Judgement(verdicts, self._judging(tally, shown))

    def _vote(
        self, questions: Sequence[Question], shown: Transcript, vote: int, model: Model | None, tally: _Tally
    ) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        order = list(questions)
        random.Random(vote).shuffle(order)
        for attempt in range(self.config.retries + 1):
            pending = [question for question in order if question.item not in verdicts]
            size = max(1, (self.config.batch - 1) // SHRINK**attempt)
            for batch in _batches(pending, size):
                verdicts |= self._ask(make_sheet(shown, batch, vote, attempt), shown, model, tally)
        return verdicts

    def _ask(self, sheet: Sheet, shown: Transcript, model: Model | None, tally: _Tally) -> dict[str, Verdict]:
        try:
            ballot = read_answer(self._answer(sheet, model, tally), sheet, shown)
        except (ModelError, Unusable) as error:
            tally.problems |= dict.fromkeys(sheet.items.values(), str(error))
            return {}
        tally.problems |= ballot.problems
        return ballot.verdicts

    def _answer(self, sheet: Sheet, model: Model | None, tally: _Tally) -> str:
        if self._answers is not None:
            known = self._answers.find(sheet.messages, model.name if model else "")
            if known is not None:
                tally.add(None)
                return known
        if model is None:
            raise ModelError(f"{self.name}: no answer to these questions is on record")
        reply: Reply = model.reply(sheet.messages)
        tally.add(reply.usage)
        text = reply.message["content"] or ""
        if self._answers is not None:
            try:
                self._answers.keep(sheet.messages, model.name, text, reply.usage)
            except OSError as error:
                raise ModelError(f"the answer cannot be kept in {self._answers.path}: {error.strerror}") from error
        return text

    def _judging(self, tally: _Tally, shown: Transcript) -> Judging:
        config, cost_usd = self.config, None
        if config.prompt_price_usd is not None and config.completion_price_usd is not None:
            cost_usd = 1e-6 * (
                tally.prompt_tokens * config.prompt_price_usd + tally.completion_tokens * config.completion_price_usd
            )
        return Judging(
            model=self.name,
            votes=config.votes,
            rule=config.rule,
            n_calls=tally.n_calls,
            n_cached=tally.n_cached,
            prompt_tokens=tally.prompt_tokens,
            completion_tokens=tally.completion_tokens,
            cost_usd=cost_usd,
            cut_chars=shown.cut_chars,
        )


def _batches(questions: Sequence[Question], size: int) -> Iterator[Sequence[Question]]:
    return (questions[start : start + size] for start in range(0, len(questions), size))
