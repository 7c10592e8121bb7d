"""Write the suite anew, or show by scripts that its tasks are fit.

python -m agentgym.synthesis.octo write [FOLDER]
python -m agentgym.synthesis.octo check [NAME...] [--each] [--parallel N] [--sandbox BACKEND]
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from pathlib import Path

from agentgym.backends import NAMES, make_backend
from agentgym.synthesis.octo.breaking import alone, together
from agentgym.synthesis.octo.checking import check_drafts
from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.grammar import drafts
from agentgym.synthesis.octo.suite import write_suite


def main() -> int:
    parser = argparse.ArgumentParser(prog="agentgym.synthesis.octo", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="draw all tasks and write their folders")
    write.add_argument("folder", type=Path, nargs="?", default=Path("tasks/octo"))
    check = commands.add_parser("check", help="play scripts that keep and break the rules of each task")
    check.add_argument("names", nargs="*", help="names of tasks, with * and ?; all where none is given")
    check.add_argument("--each", action="store_true", help="an episode for each item that is broken, not for several")
    check.add_argument("--parallel", type=int, default=2, metavar="N", help="tasks at once")
    check.add_argument("--sandbox", default="namespaces", choices=NAMES)
    options = parser.parse_args()
    found = drafts()
    if options.command == "write":
        write_suite(found, options.folder)
        print(f"{len(found)} tasks, {sum(len(draft.items()) for draft in found)} items in {options.folder}")
        return 0
    chosen = [d for d in found if not options.names or any(fnmatch.fnmatch(d.name, name) for name in options.names)]
    return _check(chosen, options)


def _check(chosen: list[Draft], options: argparse.Namespace) -> int:
    began, n_kept, n_broken, n_items, n_episodes, n_bad = time.monotonic(), 0, 0, 0, 0, 0
    grouping = alone if options.each else together
    for shown in check_drafts(chosen, make_backend(options.sandbox), grouping, parallel=options.parallel):
        n_items += shown.n_program_items
        n_kept += len(shown.kept)
        n_broken += len(shown.broken)
        n_episodes += shown.n_episodes
        n_bad += bool(shown.problems)
        print(f"{'bad ' if shown.problems else 'good'} {shown.task}", file=sys.stderr)
        for problem in shown.problems:
            print(f"{shown.task}: {problem}", flush=True)
    print(
        f"{len(chosen)} tasks, {n_items} items by program: {n_kept} kept, {n_broken} broken by themselves, "
        f"{n_episodes} episodes in {time.monotonic() - began:.0f} s, {n_bad} tasks with problems"
    )
    return 1 if n_bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
