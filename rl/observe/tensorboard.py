"""RUN/tensorboard: the metrics as TensorBoard's scalars. It knows their names and nothing of what they mean."""

from __future__ import annotations

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import FileWriter
from torch.utils.tensorboard.summary import text

from rl.observe.record import Record

FOLDER = "tensorboard"


class TensorBoard:
    """`tensorboard --logdir RUN/tensorboard` shows it, while the run goes on too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: FileWriter | None = None

    def record(self, record: Record) -> None:
        if record.kind == "start":
            self.close()
        if self._writer is None:
            self._writer = FileWriter(str(self._folder), flush_secs=10)
        writer, at_s = self._writer, record.at.timestamp()
        if record.kind == "start":
            # what a killed run wrote of steps that are done again is no longer shown
            again = Event(step=record.step + 1, session_log=SessionLog(status=SessionLog.START))
            writer.add_event(again, walltime=at_s)
        # one event: another thread writes them, and may have to be waited for with each
        values = [Summary.Value(tag=name, simple_value=value) for name, value in record.metrics.items()]
        writer.add_summary(Summary(value=values), record.step, at_s)
        if record.text:
            told = text(record.kind, record.text)  # type: ignore[no-untyped-call]
            writer.add_summary(told, record.step, at_s)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
