"""Who holds which row of the lightning states: one row a running request, and rows for snapshots of known prefixes.

A state is a sum over the whole past: it can't be cut back to an earlier length. So what later prompts may share is
copied aside while it passes by. Rows are numbers here; whoever runs a step does the copies first, in their order.
"""

from __future__ import annotations

from collections import OrderedDict


class StatePool:
    def __init__(self, n_live: int, n_snapshots: int) -> None:
        self.n_rows = n_live + n_snapshots
        self.copies: list[tuple[int | None, int]] = []
        """Row to row, to be done before the next forward; from None: zeros."""
        self.snapshots: OrderedDict[bytes, int] = OrderedDict()
        """Page name -> row, as of the page's last token; least recently used first."""
        self._live = list(reversed(range(n_live)))
        self._spare = list(reversed(range(n_live, self.n_rows)))

    @property
    def n_held(self) -> int:
        return self.n_rows - len(self._live) - len(self._spare) - len(self.snapshots)

    def take(self, name: bytes | None) -> int:
        """A live row that begins as the snapshot of this page did; None: at zero."""
        row = self._live.pop()
        if name is not None:
            self.snapshots.move_to_end(name)
        self.copies.append((None if name is None else self.snapshots[name], row))
        return row

    def release(self, row: int) -> None:
        self._live.append(row)

    def snapshot(self, name: bytes, live: int) -> None:
        """Keep what the live row holds now, in the least recently used snapshot's place if none is spare."""
        if name in self.snapshots:
            self.snapshots.move_to_end(name)
            return
        if self._spare:
            row = self._spare.pop()
        elif self.snapshots:
            _, row = self.snapshots.popitem(last=False)
        else:
            return
        self.snapshots[name] = row
        self.copies.append((live, row))

    def forget_snapshots(self) -> None:
        self._spare.extend(self.snapshots.values())
        self.snapshots.clear()
