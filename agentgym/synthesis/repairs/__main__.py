"""`python -m agentgym.synthesis.repairs N FOLDER`: write repairs out as task folders."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from agentgym.errors import TaskError
from agentgym.synthesis.repairs.family import Split, sample
from agentgym.synthesis.repairs.folder import write_repair


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agentgym.synthesis.repairs", description="Write small repairs.")
    parser.add_argument("n", metavar="N", type=int, help="how many")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="of the suite; each task gets a folder in it")
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.TRAIN)
    parser.add_argument("--seed", type=int, default=0, help="the same repairs for the same seed")
    asked = parser.parse_args()
    rng = random.Random(f"{asked.split} {asked.seed}")
    try:
        for number in range(asked.n):
            repair = sample(asked.split, rng)
            name = f"{number:05d}-{repair.template.name.replace('_', '-')}"
            print(write_repair(repair, asked.split, asked.folder / name).path)
    except TaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
