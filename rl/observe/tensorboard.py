"""RUN/tensorboard: the metrics as TensorBoard's scalars. It knows their names and nothing of what they mean."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from rl.observe.record import Record

FOLDER = "tensorboard"


class TensorBoard:
    """`tensorboard --logdir RUN/tensorboard` shows it, while the run goes on too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def record(self, record: Record) -> None:
        if record.kind == "start":
            # what a killed run wrote of steps that are done again is no longer shown
            self.close()
            self._writer = self._open(purge_step=record.step + 1)
        writer = self._writer = self._writer or self._open()
        for name, value in record.metrics.items():
            writer.add_scalar(name, value, record.step, record.at.timestamp())
        if record.text:
            writer.add_text(record.kind, record.text, record.step, record.at.timestamp())

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _open(self, purge_step: int | None = None) -> SummaryWriter:
        return SummaryWriter(str(self._folder), purge_step=purge_step, flush_secs=10)
