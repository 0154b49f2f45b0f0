"""The words left and right in texts about mirrored images."""

from __future__ import annotations

import re

_PLACE = r"(?:most|ward|wards|[ -]?hand(?:ed)?)"
_SIDE = re.compile(
    rf"\b(left|right)(?={_PLACE}\b"
    r"| (?:side|half|part|corner|edge|end|one|eye|ear|arm|hand|leg|foot|shoulder|knee|elbow|hip|wrist|ankle|of)\b)"
    r"|(?<=\bthe )(left|right)\b(?! (?:answer|way|thing|time|size|kind|choice|amount)\b)"
    r"|(?<=\b(?:on|to|at|in|by) )(left|right)\b|^(left|right)\b"
    r"|\b(?:top|bottom|upper|lower|front|back|far|near)([ -])(left|right)\b",
    re.IGNORECASE,
)
_ANY = re.compile(r"\b(?:left|right)", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left"}


def exchanged(text: str) -> str | None:
    """The text with left and right exchanged; None where one of them may mean something else.

    "the cup on the left" becomes "the cup on the right", and "a man has left" is None.
    """
    clear = [match.span() for match in _SIDE.finditer(text)]
    for match in _ANY.finditer(text):
        if not any(start <= match.start() < end for start, end in clear):
            return None
    return _ANY.sub(lambda match: _in_case(_OTHER[match.group().lower()], match.group()), text)


def _in_case(word: str, like: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
