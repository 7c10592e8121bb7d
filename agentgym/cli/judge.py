"""The judge that the user names: a model, or a file of recorded answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentgym import entry
from agentgym.errors import UsageError
from agentgym.sandbox.cache import cache_folder
from agentgym.scoring.judge import Answers, Judge, JudgeConfig


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What the user says of the judge."""

    spec: str | None
    options: Mapping[str, Any]
    """The model's."""
    votes: int
    rule: str
    price: str | None
    answers: Path | None

    @contextmanager
    def opened(self) -> Iterator[Judge | None]:
        """None where none is named. Raises UsageError."""
        if self.spec is None:
            yield None
            return
        with closing(self._judge(self.spec)) as judge:
            yield judge

    def _judge(self, spec: str) -> Judge:
        prompt_usd, completion_usd = self._prices()
        try:
            config = JudgeConfig.model_validate(
                {
                    "votes": self.votes,
                    "rule": self.rule,
                    "prompt_price_usd": prompt_usd,
                    "completion_price_usd": completion_usd,
                }
            )
        except ValidationError as error:
            raise UsageError(f"--{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None
        kind, _, rest = spec.partition(":")
        if kind == "replay":
            if not Path(rest).is_file():
                raise UsageError(f"--judge {spec}: no such file; wanted a .jsonl of a judge's answers")
            return Judge(None, config, answers=Answers(Path(rest)))
        path = self.answers or cache_folder() / "judge" / "answers.jsonl"
        return Judge(entry.make_model(spec, self.options), config, answers=Answers(path))

    def _prices(self) -> tuple[float | None, float | None]:
        if self.price is None:
            return None, None
        try:
            read, written = map(float, self.price.split(","))
        except ValueError:
            raise UsageError(f"--price {self.price}: wanted two numbers, such as 2.5,10") from None
        return read, written
