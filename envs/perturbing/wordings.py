"""Wordings of instructions: other ways of saying the same, some of them held out from training."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from embodio.envs.errors import EnvError
from embodio.envs.perturbing.wording_file import KINDS, WordingFile, read_wordings

_FOLDER = Path(__file__).parent.parent / "prompts"
OTHER_WORDS = 2
"""Highest level whose wordings may be trained on; the kinds of a file are levels 2 to 5."""


@lru_cache(maxsize=32)
def wordings_of(text: str, level: int, env: str = "") -> tuple[str, ...]:
    """The wordings of an instruction at a level.

    Args:
        text: the instruction as the environment words it, with {0}, {1} ... for pictures in it.
        level: 1: the same words, written differently; 2: wordings that may be trained on; 3 to 5: held-out ones, see
            the files in `envs/prompts`.
        env: name of the environment, whose family is asked first; "" asks all families alike.

    Raises:
        EnvError: the files do not have this instruction.
    """
    if level == 1:
        bare = text.removesuffix(".")
        capital = bare[:1].upper() + bare[1:]
        return (capital, f"{capital}.", f"{bare}.", f"{bare}!")
    kind, files = KINDS[level - OTHER_WORDS], _files()
    own = files.get(env.partition("/")[0])
    for asked in ((own,) if own else (), files.values()):
        exact = [file.texts[text][kind] for file in asked if text in file.texts]
        found = [*exact, *(found for file in asked if (found := file.of_pattern(text, kind)))]
        if found:
            return found[0]
    raise EnvError(
        f"wording: there are no other wordings of {text!r}. Add them to a file in envs/prompts, or take wording:1"
    )


def worded_instructions(family: str) -> tuple[str, ...]:
    """The instructions in the file of a family, such as "robosuite", without patterns."""
    return tuple(_files()[family].texts)


@cache
def _files() -> dict[str, WordingFile]:
    """Family -> the file of its wordings."""
    return {path.stem: read_wordings(path) for path in sorted(_FOLDER.glob("*.yaml"))}
