"""Plans of large runs: what they follow from, and the table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from embodio.train.commands.scaling import ScalingConfig, scaling_table
from embodio.train.errors import TrainError
from embodio.train.main import main
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.parallel.config import ParallelConfig
from embodio.train.parallel.plan import PAPER_ROW, Machine, Workload, scaling_plan
from embodio.train.parallel.trainer import refuse_unshareable
from embodio.train.run_config import LoraConfig, RunConfig

H100 = Machine()
REPO = Path(__file__).parents[3]


def test_days_are_operations_over_speed() -> None:
    found = scaling_plan("xl", 32, H100, Workload())
    assert (found.data, found.tensor, found.rows * found.accumulate) == (32, 1, 8) and not found.checkpointing
    assert found.tokens == 256 * (864 + 1280)
    seconds = 256 * found.row_tflops / (32 * 989 * 0.4)
    assert found.seconds == pytest.approx(seconds) and found.days == pytest.approx(1.5e6 * seconds / 86400)
    halved = scaling_plan("xl", 32, dataclasses.replace(H100, mfu=0.2), Workload())
    assert halved.days == pytest.approx(2 * found.days)


def test_the_row_is_that_of_the_paper() -> None:
    from embodio.model.config.model import ModelConfig

    assert PAPER_ROW.encoder_tokens(ModelConfig.named("xxl")) == 864 and PAPER_ROW.decoder_tokens == 1280


def test_less_memory_costs_batches_then_a_second_forward_pass_then_nothing_fits() -> None:
    large = [
        scaling_plan("xxl", 8, dataclasses.replace(H100, memory_gb=memory), Workload()) for memory in (640, 80, 16)
    ]
    assert [one.rows for one in large] == sorted((one.rows for one in large), reverse=True)
    assert [one.checkpointing for one in large] == [False, False, True]
    assert large[2].seconds > 1.3 * large[1].seconds
    assert all(one.memory_gb <= memory for one, memory in zip(large, (640, 80, 16), strict=True))
    with pytest.raises(TrainError, match="xxl with 256 rows a step cannot be trained on 8 GPUs of 4 GB"):
        scaling_plan("xxl", 8, dataclasses.replace(H100, memory_gb=4), Workload())


def test_more_gpus_than_rows_share_layers() -> None:
    found = scaling_plan("xxl", 1024, H100, Workload())
    assert (found.data, found.tensor) == (256, 4)
    with pytest.raises(TrainError, match="shares out the rows evenly"):
        scaling_plan("xxl", 96, H100, Workload())


@pytest.mark.parametrize("lora", [0, 16])
def test_no_plan_is_one_that_training_refuses(lora: int) -> None:
    """With layers shared out the plan takes AdamW and its memory, and never low-rank changes."""
    optimisers = set[str]()
    for gpus in (8, 256, 512, 1024):
        try:
            found = scaling_plan("large", gpus, H100, Workload(lora=lora))
        except TrainError:
            assert lora and gpus > 256
            continue
        optimisers.add(found.optimiser)
        refuse_unshareable(
            RunConfig(
                "unused",
                optimiser=OptimiserConfig(name=found.optimiser),
                parallel=ParallelConfig(tensor=found.tensor),
                lora=LoraConfig(rank=lora),
            )
        )
    assert optimisers == ({"adafactor"} if lora else {"adafactor", "adamw"})
    shared, whole = (scaling_plan("large", gpus, H100, Workload(optimiser="adamw")) for gpus in (512, 256))
    assert scaling_plan("large", 512, H100, Workload()) == shared and shared.tensor == 2 and whole.tensor == 1


def test_state_is_shared_out_and_follows_from_the_optimiser() -> None:
    one, two = (scaling_plan("xl", gpus, dataclasses.replace(H100, memory_gb=1000), Workload()) for gpus in (8, 16))
    assert one.state_gb == pytest.approx(2 * two.state_gb)
    adamw = scaling_plan("xl", 8, dataclasses.replace(H100, memory_gb=1000), Workload(optimiser="adamw", average=True))
    assert adamw.state_gb > 1.6 * one.state_gb


def test_low_rank_changes_need_less_of_everything() -> None:
    work = Workload(rows=16, optimiser="adamw", average=True)
    whole, changes = (scaling_plan("xl", 8, H100, dataclasses.replace(work, lora=lora)) for lora in (0, 16))
    assert whole.state_gb > 4 * changes.state_gb and changes.parameters == whole.parameters
    assert whole.row_tflops > 1.3 * changes.row_tflops
    with pytest.raises(TrainError):
        scaling_plan("xxl", 1, H100, work)
    assert scaling_plan("xxl", 1, H100, dataclasses.replace(work, lora=16)).memory_gb < 80


def test_one_process_keeps_the_weights_in_two_precisions() -> None:
    found = scaling_plan("large", 1, H100, Workload(rows=16))
    assert found.gathered_gb == pytest.approx(2e-9 * found.parameters)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scaling", "sizes=[large,xxl]", "gpus=[8,96]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and {line.count("|") for line in lines} == {11}
    assert "does not fit" in lines[3]
    assert main(["scaling", "sizes=[large]", "gpus=[1]", "rows=16", "targets=[text]", "lora=16"]) == 0
    assert " TFLOP a row) | 1 | 1 x 1 | adafactor | 16 x 1 | no | " in capsys.readouterr().out
    assert main(["scaling", "mfu=1.5"]) == 2
    assert main(["scaling", "targets=[audio]"]) == 2
    assert main(["scaling", "sizes=[huge]"]) == 1
    assert main(["scaling", "gpus=[0]"]) == 2


def test_the_table_of_the_docs_is_that_of_the_command() -> None:
    assert scaling_table(ScalingConfig()) in (REPO / "docs" / "scaling.md").read_text(encoding="utf-8")
