"""Checkpoints in the field's formats, read and written."""

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.load import LoadedPolicy, load, names
from policy.checkpoint.save import save

__all__ = ["CheckpointError", "LoadedPolicy", "load", "names", "save"]
