"""Several processes pre-train, on packed rows and codes of frozen tokenisers, what one trains.

Without the dropout of codes, whose numbers each process draws for itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embodio.train.experiment import Parts
from embodio.train.log import read_log
from embodio.train.main import build_parts, trainer_of
from embodio.train.parallel.trainer import train_together
from embodio.train.run_config import PackingConfig, RunConfig
from tests.support.train.pretraining import pretraining_settings, write_pretraining_corpus
from tests.support.train.processes import together

BLOCKS = PackingConfig(enabled=True, encoder=400, decoder=512, block=2)


def parts(config: RunConfig) -> Parts[Any]:
    found = build_parts(config)
    for name in ("image", "audio"):
        found.network.target(name).dropout = 0.0
    return found


def losses(out: Path, kind: str) -> dict[tuple[int, str], float]:
    """(step, name) -> each loss of the whole stream, and of all that is held out."""
    lines = [line for line in read_log(out / "log.jsonl") if line["kind"] == kind and "task" not in line]
    return {(line["step"], name): line[name] for line in lines for name in line if name.startswith("loss")}


@pytest.mark.slow
def test_two_and_then_four_processes_pretrain_what_one_does(tmp_path: Path) -> None:
    corpus = write_pretraining_corpus(tmp_path / "corpus")
    small = {"steps": 3, "batch_size": 8, "packing": BLOCKS, "validate_every": 3}
    one, several = tmp_path / "one", tmp_path / "several"
    alone = pretraining_settings(corpus, one, **small)
    assert trainer_of(parts(alone), alone).train()
    for processes, stop in ((2, 2), (4, 0)):
        config = pretraining_settings(corpus, several, **small, stop_after=stop)
        assert together(processes, train_together, config, parts) == [0] * processes
    for kind in ("train", "validation"):
        expected, found = losses(one, kind), losses(several, kind)
        assert {(3, "loss"), (3, "loss_text"), (3, "loss_audio")} <= expected.keys()
        for place, loss in expected.items():
            assert found[place] == pytest.approx(loss, rel=1e-5), place
