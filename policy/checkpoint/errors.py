"""What a checkpoint can do wrong."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is no policy of ours; the text names the file, what was found and wanted."""
