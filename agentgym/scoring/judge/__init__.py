"""A model that decides what no program can, and what keeps it honest.

transcript   the record as it is shown, cut where it is long
question     what is asked: fenced, shuffled, with a control
answer       what of an answer counts
votes        several verdicts made one
judge        asks, asks again, counts
answers      what was answered, kept and found again
agreement    how far two deciders agree
"""

from agentgym.scoring.judge.agreement import Agreement, agreement
from agentgym.scoring.judge.answers import Answers
from agentgym.scoring.judge.judge import Judge, JudgeConfig, Judgement
from agentgym.scoring.judge.question import Question

__all__ = ["Agreement", "Answers", "Judge", "JudgeConfig", "Judgement", "Question", "agreement"]
