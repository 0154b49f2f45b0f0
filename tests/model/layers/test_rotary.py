"""Rotary factors equal the published table entries."""

import pytest
import torch

from embodio.model.layers.rotary import grid_rotary, interleave, text_rotary

CPU = torch.device("cpu")


def test_text_position_one() -> None:
    row = interleave(text_rotary(512, 64, CPU))[1, :6]
    assert row.tolist() == pytest.approx([0.540302, 0.841471, 0.731761, 0.681561, 0.846009, 0.533168], abs=1e-6)


def test_grid_cell_one_one() -> None:
    row = interleave(grid_rotary(24, 24, 64, 4 / 3, CPU))[25]
    expected = [0.235238, 0.971938, 0.731833, 0.681484, 0.912420, 0.409255]
    assert row[:6].tolist() == pytest.approx(expected, abs=1e-6)
    assert row[32:38].tolist() == pytest.approx(expected, abs=1e-6)


def test_grid_cell_one_zero_turns_by_its_row_only() -> None:
    row = interleave(grid_rotary(24, 24, 64, 4 / 3, CPU))[24]
    assert row[:4].tolist() == pytest.approx([0.235238, 0.971938, 0.731833, 0.681484], abs=1e-6)
    assert row[32:36].tolist() == [1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("table", [text_rotary(4, 16, CPU), grid_rotary(3, 5, 16, 2.0, CPU)])
def test_origin_does_not_turn_and_all_have_unit_length(table: torch.Tensor) -> None:
    assert torch.equal(table[0], torch.ones_like(table[0]))
    assert torch.allclose(table.abs(), torch.ones(table.shape), atol=1e-6)


def test_cached_tables_made_under_inference_mode_can_be_trained_with() -> None:
    with torch.inference_mode():
        table = text_rotary(7, 8, CPU)
    assert not table.is_inference()
