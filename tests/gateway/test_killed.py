"""kill -9 in the middle of streams: whatever a client had in full is in the journal."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentgym.gateway.reading import raw_lines, unfinished

N_KILLS = 50
N_CLIENTS = 3
CALL_S = 0.02
"""About what a call takes."""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.gateway.mortal", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Client(threading.Thread):
    """Asks one question after the other until its server is gone; keeps those that were answered to the last event."""

    def __init__(self, name: str, url: str, key: str) -> None:
        super().__init__(name=name)
        self.url, self.headers = f"{url}/v1/chat/completions", {"authorization": f"Bearer {key}"}
        self.answered: list[str] = []
        self.n_cut = 0

    def run(self) -> None:
        with httpx.Client(trust_env=False, headers=self.headers, timeout=20) as http:
            for n in range(10_000):
                question = f"{self.name}: {n}"
                body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": question}]}
                try:
                    with http.stream("POST", self.url, json=body) as response:
                        last = [line for line in response.iter_lines() if line][-1:]
                except httpx.TransportError:
                    self.n_cut += 1
                    return
                if last != ["data: [DONE]"]:
                    return
                self.answered.append(question)


def await_answers(clients: list[Client], n: int) -> None:
    deadline = time.monotonic() + 10
    while sum(len(client.answered) for client in clients) < n and time.monotonic() < deadline:
        time.sleep(0.001)


def test_every_completed_call_is_readable_afterwards(nursery: subprocess.Popen[str], tmp_path: Path) -> None:
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    rng = random.Random(0)
    n_answered = n_cut = 0
    for kill in range(N_KILLS):
        journal = tmp_path / f"{kill}.calls.jsonl"
        nursery.stdin.write(f"{journal.name}\n")
        nursery.stdin.flush()
        pid, port, key = nursery.stdout.readline().split()
        clients = [Client(f"client {n}", f"http://127.0.0.1:{port}", key) for n in range(N_CLIENTS)]
        for client in clients:
            client.start()
        await_answers(clients, rng.randint(1, 8))
        time.sleep(rng.uniform(0, CALL_S))
        os.kill(int(pid), signal.SIGKILL)
        for client in clients:
            client.join(30)
        answered = {question for client in clients for question in client.answered}
        recorded = {line["request"]["messages"][-1]["content"] for line in raw_lines(journal, lambda _: True)}
        assert answered <= recorded
        assert len(recorded) - len(answered) <= N_CLIENTS  # those whose last event was on its way
        (trajectory,) = unfinished(journal, lambda _: True) if recorded else [None]
        assert trajectory is None or all(call.tokens for call in trajectory.calls)
        n_answered += len(answered)
        n_cut += sum(client.n_cut for client in clients)
    # it was worth the name: much was answered, much was cut off
    assert n_answered > 2 * N_KILLS
    assert n_cut > N_KILLS
    assert json.loads(journal.read_bytes().splitlines()[0])["episode"] == "doomed"
