"""Docs of packages: docstrings without running any code, and descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.corpus.source import CorpusRequest, LeftOut, SourceAbsent
from embodio.datasets.corpus.sources.python_docs import SOURCE, PythonDocs, description, docstrings

MODULE = '''"""A module about {}.

It says more than a line, so that it is long enough to be a text of its own for those who read it.
"""
raise SystemExit("this must not run")

class Kettle:
    """Boils water; the longer the text, the better it can be used to learn from what it says about kettles."""

    def pour(self):
        """Pours."""
'''


def write_packages(root: Path) -> Path:
    for name in ("tea", "tests"):
        (root / name).mkdir(parents=True)
        (root / name / "kettle.py").write_text(MODULE.format(name), encoding="utf-8")
    (root / "tea" / "silent.py").write_text("x = 1\n")
    (root / "tea" / "broken.py").write_text("def (")
    (root / "tea" / "latin.py").write_bytes(b"# caf\xe9")
    (root / "tea-1.0.dist-info").mkdir()
    head = "Metadata-Version: 2.1\nName: tea\nSummary: Makes tea.\n\n"
    (root / "tea-1.0.dist-info" / "METADATA").write_text(head + "# Tea\n\nHow to make it. " * 20)
    return root


def test_docstrings_with_their_names() -> None:
    text = docstrings(MODULE.format("tea"))
    assert text.startswith("A module about tea.\n\nIt says") and "\n\nKettle: Boils water" in text
    assert text.endswith("pour: Pours.")
    assert docstrings("def (") == docstrings("x = 1") == ""


@given(st.lists(st.text("abc \"'\\\n#é", max_size=30), max_size=4))
def test_what_is_written_as_docstring_is_found(texts: list[str]) -> None:
    source = "\n".join(f"def f{index}():\n    {text!r}" for index, text in enumerate(texts))
    found = docstrings(source)
    assert all(f"f{index}: " in found for index, text in enumerate(texts) if text.strip())


def test_files_are_read_and_those_that_say_little_left_out(tmp_path: Path) -> None:
    source = PythonDocs((write_packages(tmp_path),))
    items = {item.key: item for item in source.plan(CorpusRequest(0)).items}
    assert set(items) == {
        *("tea/kettle_py", "tea/silent_py", "tea/broken_py", "tea/latin_py"),
        "tea-1_0_dist-info/METADATA",
    }
    assert str(source.make(items["tea/kettle_py"], 0)["text"]).startswith("A module about tea.")
    for key, reason in (("tea/silent_py", "little"), ("tea/broken_py", "little"), ("tea/latin_py", "read")):
        with pytest.raises(LeftOut, match=reason):
            source.make(items[key], 0)
    text = str(source.make(items["tea-1_0_dist-info/METADATA"], 0)["text"])
    assert text.startswith("tea: Makes tea.\n\n# Tea") and description("Name: a\nSummary: b") == "a: b"
    assert len(source.plan(CorpusRequest(0, limit=2)).items) == 2


def test_nothing_ships_and_no_package_is_an_error(tmp_path: Path) -> None:
    assert not SOURCE.ships
    with pytest.raises(SourceAbsent, match="Python package"):
        PythonDocs((tmp_path,)).plan(CorpusRequest(0))
