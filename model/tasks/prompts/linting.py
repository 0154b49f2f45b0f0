"""Linter of prompts: wordings that are unused, too few, repeated, cannot be filled, or give the answer away.

Loading checks only what would break a draw. The linter reads the same files leniently and lists everything at once.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml

from embodio.model.tasks.base.family import Family
from embodio.model.tasks.families import families
from embodio.model.tasks.prompts.filling import slots_of

Kind = Literal["format", "unused", "empty", "few", "unfillable", "special token", "leak", "duplicate", "similar"]

FEWEST = 8
"""Wordings for training that each group should have."""

SIMILAR = 0.7
"""Share of words in common, in order, from which two wordings of one group are too similar to be worth having both."""

_LISTS = ("wordings", "held_out")
_SPECIAL = re.compile(
    r"<extra_id_\d+>|<(?:image|audio)_(?:input|history_\d+)>|\[(?:Text|Image|Audio)\]|\[[RSX]\]|</?s>"
)
_WORD = re.compile(r"\{\w+\}|[^\W_]+(?:'[^\W_]+)?")
_FILLERS = {"a", "an", "the", "please"}


@dataclass(frozen=True)
class PromptFault:
    """Something wrong with a wording or a group.

    Attributes:
        kind: what kind of fault.
        name: "family.group", or the name of the file.
        reason: what is wrong, and what to do.
        wording: the wording, if it is one.
    """

    kind: Kind
    name: str
    reason: str
    wording: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}: {self.reason}" + (f": {self.wording!r}" if self.wording else "")


@dataclass(frozen=True)
class _Group:
    """The texts of one group of a family."""

    family: Family[Any]
    name: str
    texts: Mapping[str, Sequence[str]]

    @property
    def full_name(self) -> str:
        return f"{self.family.name}.{self.name}"

    @property
    def slots(self) -> list[str]:
        """The slots that the family fills; a style has those of its group."""
        return list(self.family.groups[self.name.partition("/")[0]])

    @property
    def all_texts(self) -> list[str]:
        return [text for listed in self.texts.values() for text in listed]


def lint_prompts(files: Sequence[Path], *, whole: bool = False) -> list[PromptFault]:
    """The faults of files of wordings, each named after its family.

    Args:
        files: YAML files in the format of `embodio.model.tasks.prompts.wording`.
        whole: whether these are all files there are, so that a family without one is a fault too.
    """
    found: list[PromptFault] = []
    groups: list[_Group] = []
    for file in files:
        own, faults = _read(file)
        groups += own
        found += faults
    for group in groups:
        found += [*_of_slots(group), *_of_texts(group), *_of_numbers(group)]
    found += _repeats(groups)
    if whole:
        named = {file.stem for file in files}
        missing = [name for name in families() if name not in named]
        found += [PromptFault("empty", name, f"the family has no wordings; add {name}.yaml") for name in missing]
    return found


def _read(file: Path) -> tuple[list[_Group], list[PromptFault]]:
    """The groups of a file, and what is wrong with its format or is never asked for."""
    family = families().get(file.stem)
    if family is None:
        near = difflib.get_close_matches(file.stem, families(), n=1)
        hint = f"did you mean {near[0]}.yaml?" if near else "name the file after its family"
        return [], [PromptFault("unused", file.name, f"there is no family {file.stem!r}; {hint}")]
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        return [], [PromptFault("format", file.name, f"it is not YAML: {' '.join(str(error).split())}")]
    if not isinstance(content, dict):
        return [], [PromptFault("format", file.name, "expected groups, each with wordings and held_out")]
    groups, found = [], []
    for name, lists in content.items():
        if str(name).partition("/")[0] not in family.groups:
            hint = f"the family {file.stem!r} asks for the groups {', '.join(family.groups)}"
            found.append(PromptFault("unused", f"{file.stem}.{name}", hint))
            continue
        texts, faults = _texts(f"{file.stem}.{name}", lists)
        groups.append(_Group(family, name, texts))
        found += faults
    for name in family.groups:
        if name not in content:
            found.append(PromptFault("empty", f"{file.stem}.{name}", "the family asks for this group; add wordings"))
    return groups, found


def _texts(name: str, lists: Any) -> tuple[dict[str, list[str]], list[PromptFault]]:
    """The texts of a group, and the entries that are not texts."""
    if not isinstance(lists, dict):
        return {key: [] for key in _LISTS}, [PromptFault("format", name, "expected the keys wordings and held_out")]
    found = [PromptFault("format", name, f"unknown key {key!r}; keys: {_LISTS}") for key in lists if key not in _LISTS]
    texts: dict[str, list[str]] = {}
    for key in _LISTS:
        entries = lists.get(key) or []
        listed = entries if isinstance(entries, list) else [entries]
        texts[key] = [entry for entry in listed if isinstance(entry, str) and entry.strip()]
        wrong = [entry for entry in listed if not (isinstance(entry, str) and entry.strip())]
        found += [
            PromptFault("format", name, f"{key}: expected texts that are not empty, found {one!r}") for one in wrong
        ]
    return texts, found


def _of_slots(group: _Group) -> Iterator[PromptFault]:
    """Wordings with other slots than the family fills, or with braces that are not a slot."""
    wanted = group.slots
    for text in group.all_texts:
        slots = slots_of(text)
        answers = sorted(set(slots) & set(group.family.answer) - set(wanted))
        if answers:
            yield PromptFault("leak", group.full_name, f"the slot {{{answers[0]}}} is the answer", text)
        elif sorted(slots) != sorted(wanted):
            every = " ".join(f"{{{name}}}" for name in wanted) or "no slots"
            yield PromptFault("unfillable", group.full_name, f"the family fills {every}, each once", text)
        elif re.search(r"[{}]", re.sub(r"\{\w+\}", "", text)):
            yield PromptFault("unfillable", group.full_name, "a brace that is not part of a slot", text)


def _of_texts(group: _Group) -> Iterator[PromptFault]:
    """Wordings with names of special tokens, or with some of the fixed answers but not all of them."""
    for text in group.all_texts:
        special = _SPECIAL.search(text)
        if special:
            reason = f"{special.group()} is read as letters here; special tokens come from slots and the prefix"
            yield PromptFault("special token", group.full_name, reason, text)
        words = _words(text)
        named = [answer for answer in group.family.fixed_answers if _occurs(_words(answer), words)]
        if named and len(named) < len(group.family.fixed_answers):
            yield PromptFault("leak", group.full_name, f"it names the answer {named[0]!r} and not the others", text)


def _of_numbers(group: _Group) -> Iterator[PromptFault]:
    """Groups with too few wordings."""
    count = len(group.texts["wordings"])
    if not count:
        yield PromptFault("empty", group.full_name, "there is not one wording")
    elif count < FEWEST:
        yield PromptFault("few", group.full_name, f"{count} wordings; write at least {FEWEST}")
    if not group.texts["held_out"]:
        yield PromptFault("few", group.full_name, "nothing is held out; write a wording for evaluation alone")


def _repeats(groups: Sequence[_Group]) -> Iterator[PromptFault]:
    """Wordings of the same words anywhere, and similar ones within a group."""
    places: dict[tuple[tuple[str, int], ...], list[tuple[str, str, str]]] = defaultdict(list)
    for group in groups:
        own = [(key, text) for key in _LISTS for text in group.texts[key]]
        for key, text in own:
            places[tuple(sorted(Counter(_words(text)).items()))].append((group.full_name, key, text))
        for (one_key, one), (other_key, other) in combinations(own, 2):
            first, second = _words(one), _words(other)
            alike = difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()
            if alike >= SIMILAR and sorted(first) != sorted(second):
                where = "" if one_key == other_key else "the held-out "
                yield PromptFault("similar", group.full_name, f"almost the words of {where}{other!r}", one)
    for same in places.values():
        (name, key, text), *others = same
        for other_name, other_key, other in others:
            held = " (held out)" if key != other_key else ""
            yield PromptFault("duplicate", other_name, f"the words of {name}{held} {text!r}", other)


def _words(text: str) -> list[str]:
    """The words and slots of a text, without articles; the same words ask the same."""
    return [word for word in _WORD.findall(text.lower()) if word not in _FILLERS]


def _occurs(part: Sequence[str], words: Sequence[str]) -> bool:
    """Whether words occur next to each other in others."""
    return any(list(words[at : at + len(part)]) == list(part) for at in range(len(words) - len(part) + 1))
