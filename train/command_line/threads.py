"""Threads of the network: their number in a command, and how they wait for one another.

OpenMP reads its variables once, when torch is loaded, so `sleep_while_waiting` is called before that.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Literal

Waiting = Literal["sleep", "spin"]


def sleep_while_waiting() -> None:
    """Lets waiting threads sleep, unless the user's OMP_WAIT_POLICY says otherwise or torch is loaded already.

    Spinning threads waste a core: if other programs run, one plan on two threads takes seconds.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def waiting() -> Waiting:
    """How OpenMP's threads wait, by the variable in force."""
    return "sleep" if os.environ.get("OMP_WAIT_POLICY", "").strip().lower() == "passive" else "spin"


def omp_threads() -> int | None:
    """The threads that OMP_NUM_THREADS asks for (the first of a list), or None without a usable number."""
    found = re.match(r"\s*([1-9]\d*)\s*(?:,|$)", os.environ.get("OMP_NUM_THREADS", ""))
    return int(found[1]) if found else None


def threads(setting: int, usual: int) -> int:
    """The threads to take.

    Args:
        setting: the user's setting; 0 for none.
        usual: number of threads if OMP_NUM_THREADS is not set either.
    """
    return setting or omp_threads() or usual
