"""Plain English: words that a native reader stumbles over are found in source and docs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.support.rooms import REPO, sources

BANNED = {
    "so many": r"\bso many\b",  # a number: "that many", "at most this many"
    "anew": r"\banew\b",  # again, over
    "as far as": r"\bas far as\b",  # those that, where
    "in vain": r"\bin vain\b",  # without success
    "whoever": r"\bwhoever\b",  # the caller, the reader
    "is no": r"(?:\bthere )?\b(?:is|are|was|were) no\b(?! (?:longer|more|faster)\b)",  # is not a
    "what is told": r"\bwhat is told\b",  # the instruction
    "beside": r"\bbeside\b",  # besides, next to
}

ALLOWED = {"beside": 1}  # how often each is still there; this may only go down


def texts() -> dict[str, str]:
    """Path -> text, of all source and of all that users read."""
    written = [REPO / "README.md", REPO / "Makefile", *(REPO / "docs").rglob("*.md"), *(REPO / "scripts").glob("*.*")]
    return {source.path: source.text for source in sources()} | {
        str(path.relative_to(REPO)): path.read_text(encoding="utf-8") for path in written
    }


def found(pattern: str, files: Mapping[str, str]) -> list[str]:
    """The lines with a word, each with its place; a word may run over the end of a line."""
    spaced = re.compile(pattern.replace(" ", r"[\s#]+"), re.IGNORECASE)
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match.group().split())}"
        for path, text in files.items()
        for match in spaced.finditer(text)
        if not match.group().lower().startswith("there")
    ]


@pytest.mark.parametrize("word", BANNED)
def test_words_that_are_not_said(word: str) -> None:
    lines = found(BANNED[word], texts())
    assert len(lines) == ALLOWED.get(word, 0), "\n".join(lines)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("so many", "at most so\n    many steps"),
        ("anew", "Anew it begins"),
        ("is no", "what is no number"),
        ("is no", "they are\n    # no numbers"),
        ("beside", "kept beside it"),
    ],
)
def test_banned_words_are_found(word: str, text: str) -> None:
    assert len(found(BANNED[word], {"x.py": text})) == 1


def test_right_words_are_not_found() -> None:
    right = "there is no file\nthere are no rows\nit is no longer here\nbesides that\na renewal\nso much"
    assert [found(pattern, {"x.py": right}) for pattern in BANNED.values()] == [[]] * len(BANNED)
