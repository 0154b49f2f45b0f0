"""Memory of a process, current and peak, as the operating system counts it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> float:
    """The largest resident size of this process so far in MB (10^6 bytes).

    On Linux it is that of this program alone; `getrusage` would count the program that started it too.
    """
    found = _status("VmHWM:")
    if found is not None:
        return found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def resident_memory() -> float | None:
    """The resident size of this process now in MB (10^6 bytes); None where the system does not say."""
    return _status("VmRSS:")


def _status(name: str) -> float | None:
    if not _STATUS.exists():
        return None
    lines = (line.split() for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return next((int(words[1]) * 1024 / 1e6 for words in lines), None)
