"""Wordings: the prompt templates of each task, loaded from YAML and checked for slots, repeats and leaks.

A file `prompts/<family>.yaml` maps each group of a family to its wordings:

    image:
      wordings: ["What does the image show?", ...]
      held_out: ["Describe the picture.", ...]

The first wording is the default where none is drawn. Held-out paraphrases are for evaluation only. A group
"image/alt_text" is a style of the group "image", for data sets with other answers, such as texts of web pages.
"""

from __future__ import annotations

import difflib
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from embodio.model.tasks.errors import PromptError
from embodio.model.tasks.prompts.filling import Template, slots_of

Wording = Template
"""A template drawn for one example."""

_KEYS = {"wordings", "held_out"}

FOLDERS = [Path(__file__).resolve().parent]
"""Folders of wording files; a program may add a folder before the first wording is drawn."""

_OWN: dict[str, Wordings] = {}
"""Wordings of families that hold their own, by "family.group", once these are imported."""


@dataclass(frozen=True)
class Wordings:
    """The wordings of one group of a family; every wording has the same slots.

    Attributes:
        name: "family.group".
        training: templates for training and inference; the first one is the default.
        held_out: paraphrases for evaluation only.
    """

    name: str
    training: tuple[Template, ...]
    held_out: tuple[Template, ...] = ()

    def __post_init__(self) -> None:
        """Checks the wordings; raises PromptError."""
        if not self.training:
            raise PromptError(f"{self.name}: there is no wording; give at least one")
        known: dict[str, Template] = {}
        for template in (*self.training, *self.held_out):
            if sorted(slots_of(template)) != sorted(self.slots):
                raise PromptError(f"{self.name}: {template!r} has the slots {slots_of(template)}, not {self.slots}")
            plain = " ".join(str(template).lower().split())
            if plain in known:
                raise PromptError(f"{self.name}: {template!r} is there twice; a held-out wording may not be trained on")
            known[plain] = template

    @property
    def slots(self) -> list[str]:
        """The names of the slots."""
        return slots_of(self.training[0])

    def draw(self, generator: np.random.Generator | None = None, *, held_out: bool = False) -> Wording:
        """A uniformly drawn wording; the first one without a generator.

        Raises:
            PromptError: there is no held-out wording.
        """
        found = self.held_out if held_out else self.training
        if not found:
            raise PromptError(f"{self.name}: there is no held-out wording")
        return found[0] if generator is None else found[int(generator.integers(len(found)))]


class Prompts:
    """The wordings of all families.

    Args:
        changes: "family.group" -> template that replaces its wordings; the slots must be the same.

    Raises:
        PromptError: the group does not exist, or the slots differ.
    """

    def __init__(self, changes: Mapping[str, Template] | None = None) -> None:
        self._groups = ChainMap({}, shipped_wordings(), _OWN)
        for name, template in (changes or {}).items():
            ours = self[name]
            if sorted(slots_of(template)) != sorted(ours.slots):
                raise PromptError(f"{name}: {template!r} has the slots {slots_of(template)}, not {ours.slots}")
            self._groups[name] = replace(ours, training=(template,))

    def __getitem__(self, name: str) -> Wordings:
        """The wordings of "family.group"; raises PromptError with the nearest name."""
        if name not in self._groups:
            family, _, group = name.partition(".")
            if group and not any(known.startswith(f"{family}.") for known in self._groups):
                raise PromptError(
                    f"no wordings of {family!r}: add {family}.yaml, with the group {group!r}, to {FOLDERS[-1]}"
                )
            near = difflib.get_close_matches(name, self._groups, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self._groups))}"
            raise PromptError(f"no wordings {name!r}; {hint}")
        return self._groups[name]

    def styled(self, name: str, style: str = "") -> Wordings:
        """The wordings of "family.group" in a style; the plain ones for "".

        Raises:
            PromptError: the group does not have the style.
        """
        if not style:
            return self[name]
        styles = [known.partition("/")[2] for known in self._groups if known.startswith(f"{self[name].name}/")]
        if style not in styles:
            raise PromptError(f"{name}: there is no style {style!r}; there are {', '.join(styles) or 'none'}")
        return self[f"{name}/{style}"]

    def __contains__(self, name: object) -> bool:
        """Whether there are wordings of a name "family.group"."""
        return name in self._groups

    def __iter__(self) -> Iterator[str]:
        """The names, "family.group"."""
        return iter(self._groups)


@lru_cache(maxsize=1)
def shipped_wordings() -> dict[str, Wordings]:
    """The wordings of the package by "family.group"."""
    found: dict[str, Wordings] = {}
    for folder in FOLDERS:
        for file in sorted(folder.glob("*.yaml")):
            found |= read_wordings(file)
    return found


def read_wordings(file: Path) -> dict[str, Wordings]:
    """The wordings of one file, named after its family.

    Raises:
        PromptError: the file is not YAML in the format above, or a wording is invalid.
    """
    family = file.stem
    try:
        groups = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PromptError(f"{file.name}: not YAML: {error}") from error
    if not isinstance(groups, dict):
        raise PromptError(f"{file.name}: expected groups of wordings, found {type(groups).__name__}")
    return _groups(family, groups)


def add_wordings(family: str, groups: Mapping[str, Any]) -> None:
    """Adds the wordings that a family holds itself, for all `Prompts`; raises PromptError if one is invalid."""
    _OWN.update(_groups(family, groups))


def _groups(family: str, groups: Mapping[str, Any]) -> dict[str, Wordings]:
    return {f"{family}.{group}": _wordings(f"{family}.{group}", content) for group, content in groups.items()}


def _wordings(name: str, content: Any) -> Wordings:
    if not isinstance(content, dict) or not set(content) <= _KEYS:
        raise PromptError(f"{name}: expected the keys wordings and held_out, found {content!r}")
    lists = [content.get("wordings") or [], content.get("held_out") or []]
    for entries in lists:
        if not isinstance(entries, list) or not all(isinstance(one, str) and one.strip() for one in entries):
            raise PromptError(f"{name}: wordings are a list of texts, none of them empty, found {entries!r}")
    return Wordings(name, tuple(lists[0]), tuple(lists[1]))
