"""JSON with a checksum of itself: a damaged cache file is ignored."""

from __future__ import annotations

import json
from typing import Any

import google_crc32c

_CHECKSUM, _CONTENT = "checksum", "content"


def sealed(content: Any) -> str:
    """JSON text of plain values and their checksum."""
    return json.dumps({_CHECKSUM: _checksum(content), _CONTENT: content})


def unsealed(text: str | bytes) -> Any:
    """The content given to `sealed`; None if the text is not sealed, or was changed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # cut off by a crash, or damaged
        return None
    if not isinstance(found, dict) or set(found) != {_CHECKSUM, _CONTENT}:
        return None
    return found[_CONTENT] if found[_CHECKSUM] == _checksum(found[_CONTENT]) else None


def _checksum(content: Any) -> int:
    value: int = google_crc32c.value(json.dumps(content, sort_keys=True).encode())
    return value
