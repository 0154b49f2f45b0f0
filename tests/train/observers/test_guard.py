"""The guard: what is not finite or jumps up stops the run or is skipped, and the records of the batch are named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from embodio.model.network.batch import POSITIONS
from embodio.model.network.loss import RowSums
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import Diverged
from embodio.train.objective import Outcome
from embodio.train.observers.config import GuardConfig
from embodio.train.observers.guard import LossGuard

ONE = torch.ones(())


class Batches:
    """Knows the record at each place of the stream."""

    damaged = ()

    def origin(self, position: int) -> str:
        return f"record of {position}"


def outcome(loss: float, of_rows: tuple[float, ...] = ()) -> Outcome:
    sums = torch.tensor([[value, 1.0, 0.0, 1.0] for value in of_rows])
    return Outcome(torch.tensor(loss), ONE, {}, {"text": RowSums(sums, torch.ones(3))} if of_rows else {})


def guard(**settings: Any) -> LossGuard:
    return LossGuard(GuardConfig(**settings), Batches())  # type: ignore[arg-type]


BATCH = {POSITIONS: torch.tensor([40, 41, 42])}


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_what_is_not_finite_stops_the_run_and_names_the_records(loss: float, norm: float) -> None:
    with pytest.raises(Diverged, match=r"step 7: loss .*record of 41.*record of 40") as raised:
        guard().admits(7, [BATCH], outcome(loss, (1.0, float("nan"), 0.5)), norm)
    text = str(raised.value)
    assert text.index("record of 41") < text.index("record of 40") < text.index("record of 42"), "the worst one first"
    assert "guard.not_finite=skip" in text


def test_it_may_be_skipped_up_to_a_limit_in_a_row() -> None:
    one = guard(not_finite="skip", most=2)
    for _ in range(3):
        assert not one.admits(0, [BATCH], outcome(float("nan")), 1.0)
        assert "record of 42" in one.trouble
        assert one.admits(1, [BATCH], outcome(1.0), 1.0), "a good step ends the row"
    assert not one.admits(2, [BATCH], outcome(float("nan")), 1.0)
    assert not one.admits(3, [BATCH], outcome(float("nan")), 1.0)
    with pytest.raises(Diverged, match="after 2 that were skipped"):
        one.admits(4, [BATCH], outcome(float("nan")), 1.0)


def test_a_spike_is_measured_by_the_median_of_a_full_window_and_does_not_enter_it() -> None:
    one = guard(spike=3.0, window=5)
    assert one.admits(0, [BATCH], outcome(100.0), 1.0), "there is no window yet"
    for step in range(1, 5):
        assert one.admits(step, [BATCH], outcome(2.0), 1.0)
    assert one.admits(5, [BATCH], outcome(5.9), 1.0)
    assert not one.admits(6, [BATCH], outcome(6.1), 1.0) and "spike over the median 2" in one.trouble
    assert not one.admits(7, [BATCH], outcome(6.1), 1.0), "what was skipped changes nothing"
    with pytest.raises(Diverged, match=r"guard\.on_spike=skip"):
        stopping = guard(spike=3.0, window=1, on_spike="stop")
        stopping.admits(0, [BATCH], outcome(1.0), 1.0)
        stopping.admits(1, [BATCH], outcome(9.0), 1.0)


def test_what_it_remembers_goes_on_after_a_restart() -> None:
    first, losses = guard(spike=1.5, window=4), [1.0, 2.0, 1.0, 1.2, 1.1, 9.0, 1.0, 1.7, 2.4, 1.3]
    whole = [first.admits(step, [BATCH], outcome(loss), 1.0) for step, loss in enumerate(losses)]
    for stop in range(len(losses)):
        one, other = guard(spike=1.5, window=4), guard(spike=1.5, window=4)
        parts = [one.admits(step, [BATCH], outcome(loss), 1.0) for step, loss in enumerate(losses[:stop])]
        other.load_state_dict(one.state_dict())
        parts += [other.admits(step, [BATCH], outcome(loss), 1.0) for step, loss in enumerate(losses[stop:], stop)]
        assert parts == whole
    assert False in whole


def test_batches_without_places_are_judged_too() -> None:
    with pytest.raises(Diverged, match=r"step 0: loss nan, gradient norm 1;"):
        guard().admits(0, [{"x": torch.ones(2)}], outcome(float("nan")), 1.0)


@pytest.mark.parametrize("settings", [{"not_finite": "ignore"}, {"on_spike": "x"}, {"spike": -1.0}, {"window": 0}])
def test_wrong_settings_name_their_key(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"guard.{next(iter(settings))}"):
        GuardConfig(**settings)
