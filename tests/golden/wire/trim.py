"""Make the recordings here from a folder of captures: `python tests/golden/wire/trim.py CAPTURES`.

CAPTURES/AGENT/NNN.json holds one request each: method, path, headers, body. What is kept is the shape of a request:
long texts are cut, of the tools the first two are left, ids of machines and accounts become zeros.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HEADERS = ("anthropic-beta", "anthropic-version", "user-agent", "x-stainless-retry-count", "accept", "content-type")
TEXT_CHARS = 120
TOOLS = 2
PRIVATE = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATHS = re.compile(r"/(tmp|home|root|work)/[\w./-]+")
MACHINE = re.compile(r"linux [\w.-]+")


def trimmed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trimmed(item[:TOOLS] if key == "tools" else item) for key, item in value.items()}
    if isinstance(value, list):
        return [trimmed(item) for item in value]
    if isinstance(value, str):
        text = MACHINE.sub("linux", PATHS.sub("/repo", value))
        text = PRIVATE.sub(lambda found: re.sub("[0-9a-f]", "0", found[0]), text)
        return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}…"
    return value


def main(captures: Path) -> None:
    for folder in sorted(path for path in captures.iterdir() if list(path.glob("*.json"))):
        requests = []
        for file in sorted(folder.glob("*.json")):
            request = json.loads(file.read_text())
            headers = {k.lower(): v for k, v in request["headers"].items() if k.lower() in HEADERS}
            kept = {"method": request["method"], "path": request["path"], "headers": headers}
            requests.append({**kept, "body": trimmed(request["body"])})
        text = json.dumps(requests, indent=1, ensure_ascii=False)
        (Path(__file__).parent / f"{folder.name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
