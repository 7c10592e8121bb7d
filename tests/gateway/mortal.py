"""A served gateway to be killed: for each line on stdin a process of its own with a fresh journal.

python -m tests.gateway.mortal FOLDER    <- a name; -> "PID PORT KEY"
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import agentgym.gateway.server  # noqa: F401  # loaded before the first fork
from agentgym.gateway import Gateway, Journal
from agentgym.protocols import Delta, Message, Reply, Sampling
from tests.gateway.fakes import TokenFake

WORDS = 8


class Talker(TokenFake):
    """Takes some milliseconds for a reply, a word at a time; says what it was asked."""

    def sample(
        self, prompt: Any, tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Iterator[Delta | Reply]:
        *_, reply = super().sample(prompt, tools, sampling)
        for word in range(WORDS):
            time.sleep(0.001)
            yield Delta("content", f"{word} ")
        assert isinstance(reply, Reply)
        message: Message = {"role": "assistant", "content": "".join(f"{word} " for word in range(WORDS))}
        yield Reply(message, reply.finish_reason, reply.usage, reply.tokens)


def serve(journal: Path) -> None:
    gateway = Gateway(Journal(journal))
    session = gateway.open(Talker(), episode="doomed")
    print(os.getpid(), gateway.server().listen("127.0.0.1", 0), session.key, flush=True)
    time.sleep(60)


if __name__ == "__main__":
    for line in sys.stdin:
        if os.fork() == 0:
            serve(Path(sys.argv[1]) / line.strip())
            os._exit(0)
        os.wait()
