"""Wordings of instructions: other ways of saying the same, some of them held out from training."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from embodio.envs.errors import EnvError

_FOLDER = Path(__file__).parent.parent / "prompts"
OTHER_WORDS = 2
"""Highest level whose wordings may be trained on."""
_KINDS = {2: "training", 3: "near", 4: "far", 5: "long"}
"""Level -> the key of its wordings in the files."""


def wordings_of(text: str, level: int) -> tuple[str, ...]:
    """The wordings of an instruction at a level.

    Args:
        text: the instruction as the environment words it.
        level: 1: the same words, written differently; 2: wordings that may be trained on; 3 to 5: held-out ones, see
            the files in `envs/prompts`.

    Raises:
        EnvError: the files do not have this instruction.
    """
    if level == 1:
        capital = text[:1].upper() + text[1:]
        return (capital, f"{capital}.", f"{text}.", f"{text}!")
    known = _files()
    if text in known:
        return known[text][_KINDS[level]]
    for pattern, kinds in known.items():
        found = _matching(pattern, text)
        if found is not None:
            return tuple(wording.format(**found) for wording in kinds[_KINDS[level]])
    raise EnvError(
        f"wording: there are no other wordings of {text!r}. Add them to a file in envs/prompts, or take wording:1"
    )


def worded_instructions(file: str) -> tuple[str, ...]:
    """The instructions of one of the files in `envs/prompts`, such as "robosuite", without patterns."""
    import yaml

    texts = yaml.safe_load((_FOLDER / f"{file}.yaml").read_text(encoding="utf-8"))
    return tuple(text for text in texts if "{" not in text)


def _matching(pattern: str, text: str) -> dict[str, str] | None:
    """What the names in braces of a pattern are in a text, such as {thing}; None if the text is not of this pattern."""
    parts = re.split(r"\{(\w+)\}", pattern)
    if len(parts) == 1:
        return None
    names = "".join(f"(?P<{part}>[^,]+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    found = re.fullmatch(names, text)
    return None if found is None else found.groupdict()


@cache
def _files() -> dict[str, dict[str, tuple[str, ...]]]:
    """Instruction -> kind -> wordings, from all files."""
    import yaml

    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        for text, kinds in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            held_out = kinds.get("held_out", {})
            given = {"training": kinds.get("training"), **held_out}
            for kind in _KINDS.values():
                if not given.get(kind):
                    raise EnvError(f"{path}: {text!r} has no {kind} wordings")
            found[text] = {kind: tuple(given[kind]) for kind in _KINDS.values()}
    return found
