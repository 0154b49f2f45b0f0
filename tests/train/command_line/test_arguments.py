"""Arguments without a key: whatever names of files hold, they arrive as they were typed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from embodio.train.command_line.arguments import with_list, with_names
from embodio.train.command_line.cli import compose


@dataclass(frozen=True)
class Named:
    """What the arguments are for.

    Attributes:
        folders: a list of texts.
        a: a text.
        b: another one.
    """

    folders: tuple[str, ...] = ()
    a: str = ""
    b: str = ""


@pytest.mark.parametrize("odd", ["runs/one", "a,b", "it's", "[x]", "{y: 1}", "a\\b [c]", "end\\", "2024", "null", " "])
def test_names_arrive_as_they_were_typed(odd: str) -> None:
    assert compose(Named, with_list([odd, "b=x", "runs/two"], "folders")) == Named((odd, "runs/two"), b="x")
    if odd != "null":  # which is no text where a key takes one
        assert compose(Named, with_names([odd, "c"], ("a", "b"))) == Named(a=odd, b="c")
