"""WordingFile: the wordings that a file of `envs/prompts` has for the instructions of one family of environments."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.envs.errors import EnvError

KINDS = ("training", "near", "far", "long")
"""The kinds of wordings of an instruction; all but the first are held out from training."""
Kinds = Mapping[str, tuple[str, ...]]
_NAME = re.compile(r"\{([a-z]\w*)\}")
_ANY_TEXT = ".+?"


@dataclass(frozen=True)
class Pattern:
    """Instructions that differ in what is named in them.

    Attributes:
        regex: matches an instruction of this pattern, with a group for each name.
        kinds: the wordings of each kind, with the names in braces.
    """

    regex: re.Pattern[str]
    kinds: Kinds

    def named(self, text: str) -> dict[str, str] | None:
        """What the names are in a text; None if it is not of this pattern."""
        found = self.regex.fullmatch(text)
        return None if found is None else found.groupdict()


@dataclass(frozen=True)
class WordingFile:
    """The wordings of one family.

    Attributes:
        texts: instruction -> its wordings.
        patterns: text with names in braces -> instructions with any such names.
        joined: text with names in braces -> instructions whose names stand for instructions themselves.
    """

    texts: Mapping[str, Kinds]
    patterns: Mapping[str, Pattern]
    joined: Mapping[str, Pattern]

    def of_pattern(self, text: str, kind: str) -> tuple[str, ...]:
        """The wordings of an instruction that fits a pattern, empty if none fits."""
        for pattern in self.patterns.values():
            named = pattern.named(text)
            if named is not None:
                return tuple(wording.format(**named) for wording in pattern.kinds[kind])
        for pattern in self.joined.values():
            named = pattern.named(text)
            parts = {} if named is None else {name: self.of_pattern(part, kind) for name, part in named.items()}
            if parts and all(parts.values()):
                return tuple(_combined(pattern.kinds[kind], parts))
        return ()


def read_wordings(path: Path) -> WordingFile:
    """Reads a file of `envs/prompts`.

    Raises:
        EnvError: an instruction lacks a kind of wordings, or a name in braces is not described.
    """
    import yaml

    entries: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    names, joined = entries.pop("names", {}), entries.pop("joined", {})
    given = {text: _kinds(path, text, kinds) for text, kinds in entries.items()}
    patterns = {text: Pattern(_regex(path, text, names), kinds) for text, kinds in given.items() if _NAME.search(text)}
    anything = {name: _ANY_TEXT for text in joined for name in _NAME.findall(text)}
    several = {text: Pattern(_regex(path, text, anything), _kinds(path, text, joined[text])) for text in joined}
    return WordingFile({text: kinds for text, kinds in given.items() if text not in patterns}, patterns, several)


def _combined(wordings: tuple[str, ...], parts: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Every wording with every wording of each part."""
    for wording in wordings:
        for chosen in itertools.product(*parts.values()):
            yield wording.format(**dict(zip(parts, chosen, strict=True)))


def _kinds(path: Path, text: str, given: Mapping[str, Any]) -> Kinds:
    """Kind -> wordings."""
    found = {"training": given.get("training"), **given.get("held_out", {})}
    for kind in KINDS:
        if not found.get(kind):
            raise EnvError(f"{path}: {text!r} has no {kind} wordings")
    return {kind: tuple(found[kind]) for kind in KINDS}


def _regex(path: Path, text: str, names: Mapping[str, str]) -> re.Pattern[str]:
    """The expression for the instructions of a pattern."""
    pieces = _NAME.split(text)
    missing = set(pieces[1::2]) - set(names)
    if missing:
        raise EnvError(f"{path}: {text!r} has {sorted(missing)}, which `names` does not describe")
    parts = (f"(?P<{part}>{names[part]})" if index % 2 else re.escape(part) for index, part in enumerate(pieces))
    return re.compile("".join(parts))
