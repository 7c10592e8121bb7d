"""One module a claim: `python -m benchmarks.NAME --json FILE`, `--quick` for a look.

Each runs its peer on the same machine in the same run, turn by turn, and ends with one line when the peer is missing.
"""
