"""Finding: the outcome of one check of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was checked.
        status: "ok"; "warning"; "note" if rarely intended but not a fault; "unknown" if the data cannot tell.
        found: the figures.
        remedy: what to do about a warning or note; empty otherwise.
    """

    check: str
    status: Literal["ok", "warning", "note", "unknown"]
    found: str
    remedy: str = ""
