"""Prompt templates: texts with slots, and the filling of the slots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from embodio.model.tasks.errors import PromptError

Template = str | Sequence[str | int]
"""Text with slots such as {name}, or texts with slots and token ids in sequence."""

Filling = str | Sequence[str | int]
"""The content of a slot: text, token ids such as those of a box, or both in sequence."""

BOX = "[y1 x1 y2 x2]"
"""What is shown to people for the four value tokens of a box."""

Groups = Mapping[str, Mapping[str, str]]
"""Group of wordings -> its slots, each with a text that may fill it, as an example for people."""

_SLOT = re.compile(r"\{(\w+)\}")


def groups_of(**groups: Mapping[str, str]) -> Groups:
    """Groups by name, each with its slots and their examples."""
    return groups


def quoted(texts: Iterable[str]) -> str:
    """Texts in quotation marks with commas between them, for a slot with several names or descriptions."""
    return ", ".join(f'"{text}"' for text in texts)


def fill(template: Template, **slots: Filling) -> list[str | int]:
    """Fills the slots of a template.

    Braces in a filling are literal. Token ids end the text before them, and the text after them begins a new word.

    Args:
        template: a template with each of the slots exactly once, and no others.
        slots: their fillings.

    Returns:
        A prompt without its prefix, for `Vocabulary.encode`.

    Raises:
        PromptError: a slot is missing, unknown or repeated, or filled with something else than texts and ids.
    """
    found = slots_of(template)
    if sorted(found) != sorted(slots):
        wanted = " ".join(f"{{{name}}}" for name in sorted(slots)) or "no slots"
        raise PromptError(f"prompt {template!r}: this task fills {wanted}, each once; found {found}")
    given = {name: _texts_and_ids(name, filling) for name, filling in slots.items()}
    return joined(piece for part in _texts_and_ids("prompt", template) for piece in _pieces(part, given))


def joined(parts: Iterable[str | int]) -> list[str | int]:
    """Joins neighbouring texts, and strips the spaces around ids; the text after an id begins a new word."""
    prompt: list[str | int] = []
    text = ""
    for piece in parts:
        if isinstance(piece, str):
            text += piece
        else:
            prompt += [text.strip(), piece] if text.strip() else [piece]
            text = ""
    return [*prompt, text.strip()] if text.strip() else prompt


def slots_of(template: Template) -> list[str]:
    """The names of the slots of a template, in order, with repeats."""
    parts = _texts_and_ids("prompt", template)
    return [name for part in parts if isinstance(part, str) for name in _SLOT.findall(part)]


def _texts_and_ids(name: str, given: Template | Filling) -> Sequence[str | int]:
    """The texts and token ids of a template or a filling; raises PromptError if it is something else."""
    if isinstance(given, str):
        return [given]
    listed = isinstance(given, Sequence | np.ndarray)
    if not listed or not all(isinstance(one, str | int | np.integer) for one in given):
        raise PromptError(f"{name}: expected text, or texts and token ids in sequence, found {given!r:.80}")
    return [one if isinstance(one, str) else int(one) for one in given]


def _pieces(part: str | int, slots: Mapping[str, Sequence[str | int]]) -> list[str | int]:
    """The texts and ids of a part of a template, in order."""
    if not isinstance(part, str):
        return [part]
    pieces: list[str | int] = []
    for index, piece in enumerate(_SLOT.split(part)):  # text, name, text, name, ..., text
        pieces += slots[piece] if index % 2 else [piece]
    return pieces
