"""Where this machine keeps built images."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where images are kept: $AGENTGYM_CACHE, or agentgym in the user's cache folder."""
    root = os.environ.get("AGENTGYM_CACHE") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "agentgym"
    )
    return Path(root)
