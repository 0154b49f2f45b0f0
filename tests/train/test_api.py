"""Training from Python: the snippets of docs/training.md run, and a run is that of the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embodio import train
from embodio.train.main import main
from tests.support.datasets.toy import write_toy_dataset
from tests.support.rooms import REPO
from tests.support.toy_experiment import EXPERIMENT
from tests.support.train.runs import same_files

SNIPPETS = re.findall(
    r"^```python\n(.*?)^```", (REPO / "docs" / "training.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
SAID = ("going on from step 4", r"0\.\d+ seconds|\d+\.\d+ seconds", r"^(1\.9|2\.0)\d*$")


def test_every_snippet_has_something_to_say() -> None:
    assert len(SNIPPETS) == len(SAID)


@pytest.mark.parametrize(("snippet", "said"), list(zip(SNIPPETS, SAID, strict=True)))
def test_snippets_run(
    snippet: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_toy_dataset(tmp_path / "data" / "toy", episodes=4, steps=5)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "docs/training.md", "exec"), {"__name__": "__main__"})
    assert re.search(said, shown := capsys.readouterr().out, re.MULTILINE), shown


def test_a_run_is_that_of_the_command_line(tmp_path: Path) -> None:
    data = write_toy_dataset(tmp_path / "toy", episodes=4, steps=5)
    small = {"steps": 2, "batch_size": 2, "holdout": 1, "threads": 1, "workers": 0}
    optimiser = {"warmup": 1, "final": 0.5}
    trainer = train.run(data=data, out=tmp_path / "python", optimiser=optimiser, policy={"chunk": 2}, **small)
    assert trainer.run.step == 2
    words = [f"{key}={value}" for key, value in small.items()]
    words += ["optimiser.warmup=1", "optimiser.final=0.5", "policy.chunk=2"]
    assert main([f"data={data}", f"out={tmp_path / 'command'}", *words]) == 0
    assert same_files(tmp_path / "python" / "checkpoint", tmp_path / "command" / "checkpoint")


def test_settings_are_those_of_a_recipe_and_checked() -> None:
    found = train.settings(recipe="lift", data="x", out="y", optimiser={"ema": 0.5}, policy={"chunk": 8})
    assert (found.steps, found.optimiser.ema, found.optimiser.warmup) == (2000, 0.5, 200)
    assert train.settings(EXPERIMENT, out="y", length=7).length == 7
    with pytest.raises(train.UsageError, match="There is no key 'stepz'"):
        train.settings(data="x", out="y", stepz=3)
    with pytest.raises(train.UsageError, match=r"'optimiser\.ema' must be a float"):
        train.settings(data="x", out="y", optimiser={"ema": "much"})
    with pytest.raises(train.UsageError, match="'out' must be given"):
        train.settings(data="x")
