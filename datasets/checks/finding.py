"""Finding: what one check of a data set says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was checked.
        status: "ok"; "warning"; "note" for what is rarely meant but no fault; "unknown" where the data cannot tell.
        found: the figures.
        remedy: what to do about a warning or note; empty otherwise.
    """

    check: str
    status: Literal["ok", "warning", "note", "unknown"]
    found: str
    remedy: str = ""
